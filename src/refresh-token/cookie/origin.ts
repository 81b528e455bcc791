import type { IncomingHttpHeaders } from 'node:http'

/**
 * Whether the page that a browser names in `Origin` belongs to the service: it is listed, or it was served by the host
 * that the request went to. `Host` can be trusted: a page cannot choose it, and other clients have no cookies of a user.
 * `X-Forwarded-Host` cannot: behind a proxy that changes `Host`, the public origin has to be listed.
 */
export function isKnownOrigin(
  origin: string,
  { host }: IncomingHttpHeaders,
  origins: readonly string[]
): boolean {
  return origins.includes(origin) || (Boolean(host) && hostOf(origin) === host?.toLowerCase())
}

/**
 * Whether a page of another site may have sent the request. Browsers tell where a POST comes from in `Origin` and, on
 * HTTPS and localhost, in `Sec-Fetch-Site`; pages can change neither, and a request with neither comes from no browser.
 * A listed origin may be of another site. All others have to be of the same origin, since sibling hosts may belong to
 * somebody else.
 */
export function isCrossSite(headers: IncomingHttpHeaders, origins: readonly string[]): boolean {
  const { origin, 'sec-fetch-site': site = 'same-origin' } = headers

  if (origin === undefined) {
    return site !== 'same-origin'
  }

  return !isKnownOrigin(origin, headers, origins) || (site !== 'same-origin' && !origins.includes(origin))
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}
