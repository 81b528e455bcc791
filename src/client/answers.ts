import { convert, NotAuthenticated, Unavailable, type FeathersError } from '@feathersjs/errors'
import type { RefusalReason } from '../refresh-token/errors.js'

// Imported here alone: each import weighs
export { convert, NotAuthenticated, Unavailable }

interface Failure extends Partial<FeathersError> {
  response?: { headers?: { get?(name: string): string | null } }
}

/** Why a credential was refused, or `unsaid`. Any other error says nothing about the credential. */
export function refusalOf(error: unknown, unsaid?: RefusalReason | false): RefusalReason | false | undefined {
  const { code, data } = error as Failure

  return code === 401 && (data?.reason ?? unsaid)
}

/** The answer was lost with the connection, which comes back. */
export const isLost = (error: unknown): boolean | undefined => (error as Failure).data?.comesBack

/** What the stock client takes for a refusal: 401 to 407. */
export function isRefused(error: unknown): boolean {
  const { code = 0 } = error as Failure

  return code > 400 && code < 408
}

/** When to try again, as far as the service said so: ms from now. */
export function retryAfterOf(error: unknown): number {
  const { data, response } = error as Failure

  return Number(data?.retryAfter ?? response?.headers?.get?.('Retry-After')) * 1000 || 0
}
