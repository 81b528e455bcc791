import type { FeathersError } from '@feathersjs/errors'
import type { RefusalReason } from '../refresh-token/errors.js'

const reasons = /^(invalid|expired|revoked|reused|disabled)$/

interface Failure extends Partial<FeathersError> {
  response?: { headers?: { get?(name: string): string | null } }
}

/** Why a credential was refused. Any other error says nothing about the credential. */
export function refusalOf(error: unknown): RefusalReason | undefined {
  const { code, data } = (error ?? {}) as Failure

  return code === 401 && reasons.test(data?.reason) ? data.reason : undefined
}

/** When to try again, as far as the service said so: ms from now. */
export function retryAfterOf(error: unknown): number | undefined {
  const { data, response } = (error ?? {}) as Failure
  const seconds = Number(data?.retryAfter ?? response?.headers?.get?.('Retry-After') ?? NaN)

  return seconds >= 0 ? seconds * 1000 : undefined
}
