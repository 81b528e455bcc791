import type { IncomingHttpHeaders } from 'node:http'

/**
 * Whether the page that a browser names in `Origin` belongs to the service: it is listed, or was served under the very
 * host that the request went to. `Host` is believed: a page can't choose it, and whoever can has nobody's cookies.
 * `X-Forwarded-Host` is not: behind a proxy that changes `Host` the public origin has to be listed.
 */
export function isKnownOrigin(
  origin: string,
  { host }: IncomingHttpHeaders,
  origins: readonly string[]
): boolean {
  return origins.includes(origin) || (Boolean(host) && hostOf(origin) === host?.toLowerCase())
}

/**
 * Whether a page of another site may have sent the request. Browsers say where a POST comes from in `Origin` and, on
 * HTTPS and localhost, in `Sec-Fetch-Site`; pages can change neither. What has none of the two is sent by no browser.
 * A listed origin may be of another site; all else has to be of the same origin, for a sibling's host may be
 * somebody else's.
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
