import { Type } from '@feathersjs/typebox'
import { ConfigurationError } from '../errors.js'
import { checkConfiguration } from './check.js'

const attributes = {
  name: Type.String({
    pattern: "^[\\w!#$%&'*+.^`|~-]{1,64}$",
    description: 'write a cookie name, such as "__Secure-refresh-token"'
  }),
  path: Type.String({
    pattern: '^/[^;\\s\\x00-\\x1f\\x7f]*$',
    description: 'write the path of the authentication service as browsers see it, such as "/authentication"'
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
}

/** `authentication.refresh-token.cookie`, unless it is false */
const cookieSchema = Type.Partial(
  Type.Object(
    {
      ...attributes,
      previous: Type.Array(Type.Partial(Type.Object(attributes, { additionalProperties: false })), {
        description: 'write a list of earlier settings of the cookie, as they were'
      })
    },
    { additionalProperties: false }
  ),
  { description: 'write false, or an object with any of name, path, sameSite, secure and domain' }
)

/** The attributes of the cookie that carries a refresh token. */
export interface CookieSettings {
  name: string
  /** Undefined: the path of the authentication service. */
  path?: string | undefined
  sameSite: 'strict' | 'lax' | 'none'
  secure: boolean
  domain?: string | undefined
  /** What it was before: browsers may still have it. */
  previous?: CookieSettings[]
}

/**
 * Reads the settings of the cookie.
 *
 * @param key The key of the setting, for error messages
 * @param production Whether the cookie has to be limited to HTTPS
 * @returns undefined when cookies are off
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

  const { previous, ...given } = setting as Partial<CookieSettings>
  const settings = readAttributes(given)

  checkSecure(settings, key, production)
  checkHostBound(settings, key)
  return previous ? { ...settings, previous: previous.map(readAttributes) } : settings
}

function readAttributes(given: Partial<CookieSettings>): CookieSettings {
  // Bound to a path rather than a host ("__Host-" requires the path "/"), so that other services of the host and socket
  // handshakes do not receive it
  const { secure = true, sameSite = 'strict', domain } = given
  const { name = secure ? '__Secure-refresh-token' : 'refresh-token' } = given
  const path = given.path ?? (isHostBound(name) ? '/' : undefined)

  return { name, path, sameSite, secure, domain }
}

// RFC 6265bis §4.1.3: browsers drop a cookie that breaks the promise of its prefix, in any case of letters
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
