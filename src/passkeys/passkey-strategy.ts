import type { AuthenticationRequest } from '@feathersjs/authentication'
import type { Params } from '@feathersjs/feathers'
import { Refused, FactorStrategy, type AskedFactor, type FactorRequest } from '../refresh-token/index.js'
import type { Purpose } from './challenges.js'
import type { PasskeyUser } from './passkey-users.js'
import type { Passkeys, PasskeyUse } from './passkeys.js'
import { assertionSchema, type Assertion } from './webauthn.js'

type PasskeyRequest = FactorRequest & Assertion

/**
 * Signs in with a passkey, alone or after another strategy, and steps up with one: `{ strategy: 'passkey', challenge,
 * response }`. For what, the challenge tells.
 */
export class PasskeyStrategy extends FactorStrategy {
  readonly #passkeys: () => Passkeys
  readonly #requireWelcome: (user: PasskeyUser) => void

  /**
   * @param passkeys Asked for at a sign-in, since they need the authentication service that this is registered at
   * @param requireWelcome Throws for a user who may not sign in
   */
  constructor(passkeys: () => Passkeys, requireWelcome: (user: PasskeyUser) => void = () => undefined) {
    super()
    this.#passkeys = passkeys
    this.#requireWelcome = requireWelcome
  }

  fields() {
    return assertionSchema.properties
  }

  /** The challenge of the gate is in that of the passkey. */
  override gateOf({ challenge }: AuthenticationRequest): unknown {
    return this.#passkeys().challenges.gateOf(challenge)
  }

  override async asked({ device, ...request }: PasskeyRequest, params: Params): Promise<AskedFactor> {
    const { challenges, users } = this.#passkeys()
    const { purpose, gate } = challenges.read(request.challenge, ...this.#purposes(params))

    if (purpose !== 'sign-in') {
      return super.asked({ ...request, challenge: gate, device }, params)
    }

    const user = await users.byCredential(request.response.id)

    if (!user) {
      throw new Refused('invalid')
    }

    return { user }
  }

  async verify({ user }: AskedFactor, request: PasskeyRequest, params: Params): Promise<PasskeyUse> {
    const use = await this.#passkeys().use(request, user, this.#purposes(params), params)

    if (use.purpose === 'sign-in') {
      this.#requireWelcome(user)
    }

    return use
  }

  #purposes(params: Params): Purpose[] {
    return this.authentication.gate.isSteppingUp(params) ? ['step-up'] : ['sign-in', 'factor']
  }
}
