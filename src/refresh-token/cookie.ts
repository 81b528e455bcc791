import type { HookContext } from '@feathersjs/feathers'
import { Type } from '@feathersjs/typebox'
import { parseCookie, stringifySetCookie } from 'cookie'
import { checkConfiguration } from './configuration-check.js'
import { ConfigurationError } from './errors.js'

/** `authentication.refresh-token.cookie`, where it is not false */
const cookieSchema = Type.Partial(
  Type.Object(
    {
      name: Type.String({
        pattern: "^[\\w!#$%&'*+.^`|~-]{1,64}$",
        description: 'write a cookie name, such as "__Secure-refresh-token"'
      }),
      path: Type.String({
        pattern: '^/[^;\\s\\x00-\\x1f\\x7f]*$',
        description:
          'write the path of the authentication service as browsers see it, such as "/authentication"'
      }),
      sameSite: Type.Unsafe<'strict' | 'lax' | 'none'>({
        enum: ['strict', 'lax', 'none'],
        description: 'write "strict", "lax" or "none"'
      }),
      secure: Type.Boolean({ description: 'write true or false' }),
      domain: Type.String({
        pattern: '^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$',
        description:
          'write a domain such as "example.com", or leave it out, so that no other host gets the cookie'
      })
    },
    { additionalProperties: false }
  ),
  { description: 'write false, or an object with any of name, path, sameSite, secure and domain' }
)

/** How refresh tokens travel in a cookie. */
export interface CookieSettings {
  name: string
  /** Undefined: the path of the authentication service. */
  path?: string | undefined
  sameSite: 'strict' | 'lax' | 'none'
  secure: boolean
  domain?: string | undefined
}

/**
 * Reads the settings of the cookie; undefined where refresh tokens are not to travel in one.
 *
 * @param key The key of the setting, for the sentences
 * @param production Whether the cookie has to be kept to HTTPS
 * @throws ConfigurationError
 */
export function readCookieSettings(
  setting: unknown,
  key: string,
  production: boolean
): CookieSettings | undefined {
  if (setting === false || setting === undefined) {
    return undefined
  }

  checkConfiguration(cookieSchema, setting, key)

  const { secure = true, sameSite = 'strict', ...given } = setting as Partial<CookieSettings>
  // Bound to its path rather than to its host ("__Host-" needs the path "/"): the other services of a host, and the
  // handshakes of sockets, are not to see it
  const { name = secure ? '__Secure-refresh-token' : 'refresh-token', domain } = given
  const path = given.path ?? (isHostBound(name) ? '/' : undefined)
  const settings = { name, path, sameSite, secure, domain }

  checkSecure(settings, key, production)
  checkHostBound(settings, key)
  return settings
}

/** The refresh token in a request's cookies, if there is one. */
export function tokenInCookie({ name }: CookieSettings, header: string | undefined): string | undefined {
  return (header && parseCookie(header)[name]) || undefined
}

/** Answers with the refresh token in the cookie, kept for as long as the session lives: `maxAge`, in s. */
export function setCookie(
  context: HookContext,
  settings: CookieSettings,
  token: string,
  maxAge: number
): void {
  const { path = `/${context.path}`, ...attributes } = settings
  const line = stringifySetCookie({ ...attributes, path, value: token, maxAge, httpOnly: true })
  const { 'Set-Cookie': others = [], ...headers } = context.http?.headers ?? {}

  context.http = { ...context.http, headers: { ...headers, 'Set-Cookie': [others, line].flat() } }
}

/** Takes the cookie away from the browser. */
export function clearCookie(context: HookContext, settings: CookieSettings): void {
  setCookie(context, settings, '', 0)
}

// RFC 6265bis §4.1.3: browsers drop a cookie that does not keep what its prefix says, whatever the prefix's case
const isHostBound = (name: string) => /^__Host-/i.test(name)
const isPrefixed = (name: string) => /^__(Host|Secure|Http)-/i.test(name)

function checkSecure({ secure, name, sameSite }: CookieSettings, key: string, production: boolean): void {
  if (secure) {
    return
  }
  if (production) {
    throw new ConfigurationError(
      `${key}.secure is false, so the cookie would travel without encryption: write true, and serve over HTTPS`
    )
  }
  if (isPrefixed(name)) {
    throw new ConfigurationError(
      `${key}.name is "${name}", which browsers keep only of a secure cookie: write a name without that prefix, ` +
        'or set secure to true'
    )
  }
  if (sameSite === 'none') {
    throw new ConfigurationError(
      `${key}.sameSite is "none", which browsers take only of a secure cookie: write "strict", or set secure to true`
    )
  }
}

function checkHostBound({ name, path, domain }: CookieSettings, key: string): void {
  if (!isHostBound(name)) {
    return
  }
  if (path !== '/') {
    throw new ConfigurationError(
      `${key}.path is "${path}", but browsers keep "${name}" only with the path "/": ` +
        'write "/", or a name that begins with "__Secure-"'
    )
  }
  if (domain !== undefined) {
    throw new ConfigurationError(
      `${key}.domain is "${domain}", but browsers keep "${name}" only without one: ` +
        'leave it out, or write a name that begins with "__Secure-"'
    )
  }
}
