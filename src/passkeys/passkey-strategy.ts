import {
  AuthenticationBaseStrategy,
  type AuthenticationRequest,
  type AuthenticationResult
} from '@feathersjs/authentication'
import type { Params } from '@feathersjs/feathers'
import { Type, type TObject } from '@feathersjs/typebox'
import { checkedBy, type AuthenticationService } from '../refresh-token/index.js'
import { deviceSchema } from '../refresh-token/internal.js'
import type { PasskeyUser } from './passkey-users.js'
import type { Passkeys } from './passkeys.js'
import { assertionSchema } from './webauthn.js'

const requestSchema = Type.Object(
  {
    strategy: Type.String(),
    ...assertionSchema.properties,
    device: Type.Optional(deviceSchema)
  },
  { additionalProperties: false }
)
const checkRequest = checkedBy(requestSchema)

/** Signs in with a passkey: `{ strategy: 'passkey', challenge, response }`. */
export class PasskeyStrategy extends AuthenticationBaseStrategy {
  declare authentication: AuthenticationService
  /** The schema of its requests. */
  readonly requestSchema: TObject = requestSchema
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

  /**
   * @throws BadRequest for a malformed request
   * @throws Refused `invalid`, `expired`, `disabled`
   */
  async authenticate(request: AuthenticationRequest, params: Params): Promise<AuthenticationResult> {
    const { challenge, response } = checkRequest(request)
    const { user } = await this.#passkeys().assert({ challenge, response }, 'sign-in')

    this.#requireWelcome(user)

    return {
      authentication: { strategy: this.name },
      [this.authentication.configuration.entity!]: await this.authentication.presentEntity(user, params)
    }
  }
}
