import {
  AuthenticationBaseStrategy,
  type AuthenticationBase,
  type AuthenticationRequest,
  type AuthenticationResult
} from '@feathersjs/authentication'
import type { Params } from '@feathersjs/feathers'
import { Type, type TObject } from '@feathersjs/typebox'
import { AuthenticationService } from './authentication-service.js'
import { ConfigurationError, Refused } from './errors.js'
import { deviceOf } from './device.js'
import type { OwnedSession } from './session-documents.js'
import type { RefreshToken } from './token.js'
import { checkedBy } from './validation.js'

/**
 * Signs in with a refresh token (RFC 6749 §6): `{ strategy: 'refresh-token', refreshToken, idempotencyKey? }`.
 * The answer's tokens are made by the service and by the hook `attachRefreshToken`.
 */
export class RefreshTokenStrategy extends AuthenticationBaseStrategy {
  declare authentication: AuthenticationService
  /** What requests are checked with. */
  requestSchema!: TObject
  #check!: (data: unknown) => Record<string, string>

  override setAuthentication(service: AuthenticationBase): void {
    if (!(service instanceof AuthenticationService)) {
      throw new ConfigurationError(
        'The refresh token strategy needs the AuthenticationService of moult: register it there'
      )
    }

    this.authentication = service
    const schema = Type.Object(
      {
        strategy: Type.String(),
        [service.settings.field]: Type.String(),
        idempotencyKey: Type.Optional(Type.String({ minLength: 1, maxLength: 128 }))
      },
      { additionalProperties: false }
    )

    this.requestSchema = schema
    this.#check = checkedBy(schema)
  }

  /**
   * @throws BadRequest for a malformed request
   * @throws Refused `invalid`, `expired`, `revoked`, `disabled` or `reused`, which ends the session
   */
  async authenticate(request: AuthenticationRequest, params: Params): Promise<AuthenticationResult> {
    const { settings, configuration } = this.authentication
    const { [settings.field]: raw, idempotencyKey } = this.#check(request)
    const { user, session } = await this.#use(raw!, idempotencyKey, params)

    return {
      authentication: { strategy: this.name },
      [configuration.entity!]: await this.authentication.presentEntity(user, params),
      session
    }
  }

  async #use(raw: string, idempotencyKey: string | undefined, params: Params): Promise<OwnedSession> {
    const { settings, sessions, previousTokens } = this.authentication
    const token = this.#parse(raw)

    if (token) {
      return sessions.use(token, idempotencyKey)
    }
    if (settings.previousTokens) {
      return previousTokens.use(raw, idempotencyKey, deviceOf(undefined, params))
    }

    throw new Refused('invalid')
  }

  /** Undefined for what is no token of ours. */
  #parse(raw: string): RefreshToken | undefined {
    try {
      return this.authentication.parseRefreshToken(raw)
    } catch (error) {
      if (error instanceof Refused && error.data.reason === 'invalid') {
        return undefined
      }

      throw error
    }
  }
}
