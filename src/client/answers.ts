import type { AuthenticationResult } from '@feathersjs/authentication'
import { convert, NotAuthenticated, Unavailable, type FeathersError } from '@feathersjs/errors'
import type { RefusalReason } from '../refresh-token/index.js'

// Tells answers of the service from those of proxies, captive portals and service workers, which say nothing about a
// session.

// Imported only here: each further import adds to the bundle
export { NotAuthenticated, Unavailable }

interface Failure extends Partial<FeathersError> {
  response?: { headers?: { get?(name: string): string | null } }
}

const reasons: unknown[] = ['invalid', 'expired', 'revoked', 'reused', 'disabled'] satisfies RefusalReason[]

const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''

/**
 * @param refreshTokenField Given for a refresh: its answer also has a session and, under this name, a token
 * @param cookie Whether the refresh token is in a cookie instead
 * @throws Unavailable unless this is an answer to an authentication
 */
export function requireAnswer(
  answer: AuthenticationResult,
  refreshTokenField?: string,
  cookie?: boolean
): AuthenticationResult {
  const { accessToken, authentication, session } = Object(answer)
  const isOurs =
    isText(accessToken) &&
    isText(authentication?.strategy) &&
    (!refreshTokenField || (isText(session?.id) && (cookie || isText(answer[refreshTokenField]))))

  if (!isOurs) {
    throw notOurs()
  }

  return answer
}

const notOurs = (): Unavailable => new Unavailable('Not an answer of the service')

/** The error of a failed request. Whoever answers for the service may send anything, such as `null`. */
export const failureOf = (error: unknown): Error =>
  (error as Failure | null)?.name ? convert(error) : Object.assign(notOurs(), Object(error))

/** Why the service refused a credential. Undefined for other errors, and with `retryAfter`: then waiting helps. */
export function refusalOf(error: unknown): RefusalReason | undefined {
  const { code, data } = error as Failure

  return code === 401 && reasons.includes(data?.reason) && !data.retryAfter ? data.reason : undefined
}

/** Why the service refused a refresh; `null` if there was no cookie to refresh with. */
export function refreshRefusalOf(error: unknown, cookie?: boolean): RefusalReason | null | undefined {
  const { code, name, message, errors } = error as Failure

  // Retrying a malformed request can't help. The service names the fields that are wrong
  return code === 400 && name === 'BadRequest' && errors?.[0]?.field
    ? 'invalid'
    : cookie && name === 'NotAuthenticated' && message === 'Not authenticated'
      ? null
      : refusalOf(error)
}

/** Whether the answer was lost with a connection that will reconnect. */
export const isLost = (error: unknown): boolean | undefined => (error as Failure).data?.comesBack

/** Whether the stock client treats an error as a refusal: 401 to 407, but not a request for a factor or a step-up. */
export function isRefused(error: unknown): boolean {
  const { code = 0, data } = error as Failure

  return code > 400 && code < 408 && data?.reason !== 'factor' && data?.reason !== 'step-up'
}

/** What a call asks for that takes a recent sign-in. */
export function stepUpOf(error: unknown): object | undefined {
  const { data } = error as Failure

  return data?.reason === 'step-up' ? data : undefined
}

/** How long the service asks to wait before the next attempt, ms; 0 if it doesn't say. */
export function retryAfterOf(error: unknown): number {
  const { data, response } = error as Failure

  return Number(data?.retryAfter ?? response?.headers?.get?.('Retry-After')) * 1000 || 0
}

/** The lifetime of an access token, ms. */
export function lifeOf({ authentication }: AuthenticationResult): number {
  const { iat, exp } = authentication?.payload ?? {}

  return (exp - iat) * 1000 || Infinity
}
