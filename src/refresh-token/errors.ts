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

  /** @param retryAfter s, for a token that is not valid yet, because two clocks differ */
  constructor(reason: RefusalReason, retryAfter?: number) {
    super(sentences[reason], { reason, ...(retryAfter && { retryAfter }) })
  }
}

/** Thrown for an unusable setting. Its message is one sentence: the key, what is wrong, what to write instead. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}
