import {
  AuthenticationBaseStrategy,
  type AuthenticationRequest,
  type AuthenticationResult
} from '@feathersjs/authentication'
import type { Params } from '@feathersjs/feathers'
import { Type, type TObject } from '@feathersjs/typebox'
import { checkedBy, type AuthenticationService, type Device } from '../refresh-token/index.js'
import { deviceSchema } from '../refresh-token/internal.js'
import type { Client } from './outbox/job.js'
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

/** Signs in with a code from a mail and the id from the request for it: `{ strategy: 'email-code', id, code }`. */
export class EmailCodeStrategy extends AuthenticationBaseStrategy {
  declare authentication: AuthenticationService
  /** How its sign-ins are authenticated. RFC 8176 has no name for it, and it is no factor. */
  readonly amr = ['email']
  /** The schema of its requests. */
  readonly requestSchema: TObject = requestSchema
  readonly #codes: () => SignInCodes
  readonly #clientOf: (params: Params, device?: Device) => Client

  /**
   * @param codes Called at each sign-in: the codes need the authentication service, which doesn't exist here yet
   * @param clientOf The client that makes a call, and what it says of its device
   */
  constructor(codes: () => SignInCodes, clientOf: (params: Params, device?: Device) => Client = () => ({})) {
    super()
    this.#codes = codes
    this.#clientOf = clientOf
  }

  /**
   * @throws BadRequest for a malformed request
   * @throws Refused `invalid`, `expired`, `disabled`
   */
  async authenticate(request: AuthenticationRequest, params: Params): Promise<AuthenticationResult> {
    const { id, code, device } = checkRequest(request)
    const user = await this.#codes().use(id, code, this.#clientOf(params, device))

    return {
      authentication: { strategy: this.name },
      [this.authentication.configuration.entity!]: await this.authentication.presentEntity(user, params)
    }
  }
}
