import type { AuthenticationResult } from '@feathersjs/authentication'
import { convert, NotAuthenticated, Unavailable, type FeathersError } from '@feathersjs/errors'
import type { RefusalReason } from '../refresh-token/index.js'

// What counts as an answer of the service. Proxies, captive portals and service workers answer in its place, and say
// nothing about a session.

// Imported here alone: each import weighs
export { convert, NotAuthenticated, Unavailable }

interface Failure extends Partial<FeathersError> {
  response?: { headers?: { get?(name: string): string | null } }
}

const reasons: unknown[] = ['invalid', 'expired', 'revoked', 'reused', 'disabled'] satisfies RefusalReason[]

/** @throws Unavailable for what is no answer to an authentication */
export function requireAnswer(answer: AuthenticationResult): AuthenticationResult {
  if (typeof answer?.accessToken !== 'string') {
    throw new Unavailable('Not an answer of the service')
  }

  return answer
}

/** Why the service refuses a credential. With `retryAfter` it is a matter of time. */
export function refusalOf(error: unknown): RefusalReason | undefined {
  const { code, data } = error as Failure

  return code === 401 && reasons.includes(data?.reason) && !data.retryAfter ? data.reason : undefined
}

/** As `refusalOf`, of a refresh. `null`: there is no cookie to refresh with */
export function refreshRefusalOf(error: unknown, cookie?: boolean): RefusalReason | null | undefined {
  const { code, name, message, errors } = error as Failure

  // Asked again, a malformed request is as malformed
  return code === 400 && name === 'BadRequest' && Array.isArray(errors)
    ? 'invalid'
    : cookie && name === 'NotAuthenticated' && message === 'Not authenticated'
      ? null
      : refusalOf(error)
}

/** The answer was lost with the connection, which comes back. */
export const isLost = (error: unknown): boolean | undefined => (error as Failure).data?.comesBack

/** What the stock client takes for a refusal: 401 to 407. What asks for a factor or a step-up refuses no session. */
export function isRefused(error: unknown): boolean {
  const { code = 0, data } = error as Failure

  return code > 400 && code < 408 && data?.reason !== 'factor' && data?.reason !== 'step-up'
}

/** What a call asks for that takes a recent sign-in. */
export function stepUpOf(error: unknown): object | undefined {
  const { data } = error as Failure

  return data?.reason === 'step-up' ? data : undefined
}

/** When to try again, as far as the service said so: ms from now. */
export function retryAfterOf(error: unknown): number {
  const { data, response } = error as Failure

  return Number(data?.retryAfter ?? response?.headers?.get?.('Retry-After')) * 1000 || 0
}

/** How long an access token lives: ms */
export function lifeOf({ authentication }: AuthenticationResult): number {
  const { iat, exp } = authentication?.payload ?? {}

  return (exp - iat) * 1000 || Infinity
}
