import {
  AuthenticationBaseStrategy,
  type AuthenticationRequest,
  type AuthenticationResult
} from '@feathersjs/authentication'
import type { Params } from '@feathersjs/feathers'
import { Type, type TObject } from '@feathersjs/typebox'
import { checkedBy, type AuthenticationService } from '../refresh-token/index.js'
import { deviceSchema } from '../refresh-token/internal.js'
import type { SignInCodes } from './sign-in-codes.js'

const requestSchema = Type.Object(
  {
    strategy: Type.String(),
    id: Type.String({ minLength: 1, maxLength: 128 }),
    code: Type.String({ minLength: 1, maxLength: 128 }),
    device: Type.Optional(deviceSchema)
  },
  { additionalProperties: false }
)
const checkRequest = checkedBy(requestSchema)

/** Signs in with a code from a mail, and the id that whoever asked for it got: `{ strategy: 'email-code', id, code }`. */
export class EmailCodeStrategy extends AuthenticationBaseStrategy {
  declare authentication: AuthenticationService
  /** How its sign-ins are authenticated. RFC 8176 has no name for it, and it is no factor. */
  readonly amr = ['email']
  /** The schema of its requests. */
  readonly requestSchema: TObject = requestSchema
  readonly #codes: () => SignInCodes

  /** @param codes Asked for at a sign-in, since it needs the authentication service that this is registered at */
  constructor(codes: () => SignInCodes) {
    super()
    this.#codes = codes
  }

  /**
   * @throws BadRequest for a malformed request
   * @throws Refused `invalid`, `expired`, `disabled`
   */
  async authenticate(request: AuthenticationRequest, params: Params): Promise<AuthenticationResult> {
    const { id, code } = checkRequest(request)
    const user = await this.#codes().use(id, code)

    return {
      authentication: { strategy: this.name },
      [this.authentication.configuration.entity!]: await this.authentication.presentEntity(user, params)
    }
  }
}
