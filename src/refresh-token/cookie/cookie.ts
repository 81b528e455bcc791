import type { HookContext } from '@feathersjs/feathers'
import { parseCookie, stringifySetCookie } from 'cookie'
import type { CookieSettings } from '../settings/cookie-settings.js'

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

/**
 * Answers with the refresh token in the cookie, and removes cookies of previous settings.
 *
 * @param maxAge How long the browser keeps it, s: as long as the session lives
 */
export function setCookie(
  context: HookContext,
  settings: CookieSettings,
  token: string,
  maxAge: number
): void {
  const brought = parseCookie(context.params.headers?.cookie ?? '')
  const old = (settings.previous ?? []).filter(({ name }) => name in brought)
  const lines = [...old.map((cookie) => line(context, cookie, '', 0)), line(context, settings, token, maxAge)]
  const { 'Set-Cookie': others = [], ...headers } = context.http?.headers ?? {}

  context.http = { ...context.http, headers: { ...headers, 'Set-Cookie': [others, lines].flat() } }
}

/** Removes the cookie from the browser. */
export function clearCookie(context: HookContext, settings: CookieSettings): void {
  setCookie(context, settings, '', 0)
}

function line(context: HookContext, settings: CookieSettings, value: string, maxAge: number): string {
  const { path = `/${context.path}`, name, domain, sameSite, secure } = settings

  return stringifySetCookie({ name, sameSite, secure, domain, path, value, maxAge, httpOnly: true })
}
