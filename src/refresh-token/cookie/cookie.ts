import type { HookContext } from '@feathersjs/feathers'
import { parseCookie, stringifySetCookie } from 'cookie'
import type { AuthenticationService } from '../authentication-service.js'
import type { CookieSettings } from '../settings/cookie-settings.js'
import type { RefreshToken } from '../tokens/refresh-token.js'

const mostPrefixes = 8 // of a path: each takes two headers

/**
 * The values of the cookie in a request, under its current and its previous names. There are several if the browser
 * also has cookies for other paths or domains, which the header doesn't tell apart.
 */
export function tokensInCookies(settings: CookieSettings, header = ''): string[] {
  const names = [settings, ...(settings.previous ?? [])].map(({ name }) => name)

  return header
    .split(';')
    .flatMap((pair) => Object.entries(parseCookie(pair)))
    .flatMap(([name, value]) => (value && names.includes(name) ? [value] : []))
}

/** Those of the tokens that this service has made and that have not expired. */
export const genuineTokens = (service: AuthenticationService, tokens: string[]) =>
  tokens.flatMap((raw): (RefreshToken & { raw: string })[] => {
    try {
      return [{ raw, ...service.parseRefreshToken(raw) }]
    } catch {
      return []
    }
  })

/**
 * Answers with the refresh token in the cookie, and removes cookies of earlier settings.
 *
 * @param path Of the authentication service
 * @param maxAge How long the browser keeps it, s: as long as the session lives
 */
export function setCookie(
  context: HookContext,
  service: AuthenticationService,
  path: string,
  token: string,
  maxAge: number
): void {
  const settings = service.settings.cookie as CookieSettings
  const header = context.params.headers?.cookie ?? ''
  const brought = parseCookie(header)
  const previous = (settings.previous ?? []).filter(({ name }) => name in brought)
  const lines = [
    ...[...previous, ...unlisted(service, settings, path, header)].map((old) => line(path, old, '', 0)),
    line(path, settings, token, maxAge)
  ]
  const { 'Set-Cookie': others = [], ...headers } = context.http?.headers ?? {}

  context.http = { ...context.http, headers: { ...headers, 'Set-Cookie': [others, lines].flat() } }
}

/** Removes the cookie from the browser. */
export function clearCookie(context: HookContext, service: AuthenticationService): void {
  setCookie(context, service, context.path, '', 0)
}

/**
 * The cookies that may be of earlier settings which `previous` doesn't list: if several genuine tokens arrive under one
 * name, those of the paths that the request's path begins with. If a foreign one is among them, another service of the
 * host may have such a cookie, so none is touched.
 */
function unlisted(
  service: AuthenticationService,
  settings: CookieSettings,
  asked: string,
  header: string
): CookieSettings[] {
  const { path = `/${asked}`, domain } = settings
  const tokens = tokensInCookies({ ...settings, previous: [] }, header)

  if (tokens.length < 2 || genuineTokens(service, tokens).length < tokens.length) {
    return []
  }

  const whole = path.endsWith(`/${asked}`) ? path : `${path.replace(/\/$/, '')}/${asked}`
  const parts = whole.split('/')
  const prefixes = parts.map((_, index) => parts.slice(0, index + 1).join('/')).slice(-mostPrefixes)

  return prefixes
    .flatMap((prefix) => [prefix, `${prefix}/`])
    .flatMap((path) => [...new Set([domain, undefined])].map((domain) => ({ ...settings, path, domain })))
    .filter((old) => old.path && (old.path !== path || old.domain !== domain))
}

function line(asked: string, settings: CookieSettings, value: string, maxAge: number): string {
  const { path = `/${asked}`, name, domain, sameSite, secure } = settings

  return stringifySetCookie({ name, sameSite, secure, domain, path, value, maxAge, httpOnly: true })
}
