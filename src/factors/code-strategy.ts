import type { AuthenticationRequest } from '@feathersjs/authentication'
import { Type } from '@feathersjs/typebox'
import {
  FactorStrategy,
  type AskedFactor,
  type GivenFactor,
  type UsedFactor
} from '../refresh-token/index.js'
import type { Factors } from './factors.js'

/**
 * Makes a guess at a code, unless too many were wrong. A wrong one throws a 401.
 *
 * @param client The session of a client that is known by it; undefined for a stranger to the account
 */
export type LimitGuesses = (
  guess: { userId: string; client?: string | undefined },
  make: () => Promise<UsedFactor>
) => Promise<UsedFactor>

const unlimited: LimitGuesses = (_guess, make) => make()

/** A factor that is a typed code: `{ strategy, challenge, code }`, or at a step-up without a challenge. */
abstract class CodeStrategy extends FactorStrategy {
  protected readonly factors: () => Factors
  readonly #limitGuesses: LimitGuesses

  /** @param factors Asked for at a sign-in, since it needs the authentication service that this is registered at */
  constructor(factors: () => Factors, limitGuesses: LimitGuesses = unlimited) {
    super()
    this.factors = factors
    this.#limitGuesses = limitGuesses
  }

  /** What a code uses up. @throws Refused `invalid` */
  protected abstract use(user: AskedFactor['user'], code: string): UsedFactor

  override fields() {
    return { code: Type.String({ minLength: 1, maxLength: 128 }) }
  }

  override async verify({ user, client }: AskedFactor, { code }: AuthenticationRequest) {
    const userId = this.authentication.idOf(user)
    const used = await this.#limitGuesses({ userId, client }, async () => this.use(user, String(code)))

    // RFC 8176 has no name for a recovery code, which is a one-time password, too
    return { amr: ['otp'], used } satisfies Omit<GivenFactor, 'first'>
  }
}

/** The strategy `totp`: a code of an app (RFC 6238). */
export class TotpStrategy extends CodeStrategy {
  protected override use(user: AskedFactor['user'], code: string): UsedFactor {
    return this.factors().useTotp(user, code)
  }
}

/** The strategy `recovery-code`: one of the codes that came with the first factor. */
export class RecoveryCodeStrategy extends CodeStrategy {
  protected override use(user: AskedFactor['user'], code: string): UsedFactor {
    return this.factors().useRecoveryCode(user, code)
  }
}
