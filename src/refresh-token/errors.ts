import { NotAuthenticated } from '@feathersjs/errors'

/** Why a credential was refused: the `data.reason` of a 401. */
export type RefusalReason = 'invalid' | 'expired' | 'revoked' | 'reused' | 'disabled'

// One fixed sentence for each reason, so that nothing of the credential can leak into a message
const sentences: Record<RefusalReason, string> = {
  invalid: 'The token is not valid',
  expired: 'The token or its session has expired',
  revoked: 'The session has been ended',
  reused: 'The refresh token has been used before, so its session has been ended',
  disabled: 'The account is disabled'
}

/** Thrown for a refused credential: 401 `NotAuthenticated` with a stable `data.reason`. */
export class Refused extends NotAuthenticated {
  declare readonly data: { reason: RefusalReason; retryAfter?: number }

  /** @param retryAfter s, for a token whose time has not come: nothing is wrong with it but a clock */
  constructor(reason: RefusalReason, retryAfter?: number) {
    super(sentences[reason], { reason, ...(retryAfter && { retryAfter }) })
  }
}

/** Thrown at the gate: a login of a user with a factor, who has to give it. 401 with what answers it. */
export class FactorNeeded extends NotAuthenticated {
  declare readonly data: { reason: 'factor'; challenge?: string; factors: string[] }

  /**
   * @param factors The strategies that answer it
   * @param challenge Signed; missing where factors are not configured, and nothing could answer it
   */
  constructor(factors: string[], challenge?: string) {
    super('A further factor is needed', { reason: 'factor', ...(challenge && { challenge }), factors })
  }
}

/** Thrown for a call that takes a recent sign-in, or a factor (RFC 9470 §3). 401 with what makes up for it. */
export class StepUpNeeded extends NotAuthenticated {
  declare readonly data: { reason: 'step-up'; within: number; factors: string[] }

  /**
   * @param within How recent it has to be, s
   * @param factors The strategies of which one has to be given; empty where any sign-in will do
   */
  constructor(within: number, factors: string[]) {
    super('Sign in again: this takes a recent sign-in', { reason: 'step-up', within, factors })
  }
}

/** Thrown for an unusable setting. Its message is one sentence: the key, what is wrong, what to write instead. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}
