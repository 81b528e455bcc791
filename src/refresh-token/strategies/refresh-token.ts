import {
  AuthenticationBaseStrategy,
  JWTStrategy,
  type AuthenticationBase,
  type AuthenticationRequest,
  type AuthenticationResult
} from '@feathersjs/authentication'
import type { Id, Params } from '@feathersjs/feathers'
import { Type, type TObject } from '@feathersjs/typebox'
import type { Document } from 'mongodb'
import { requireMoult, type AuthenticationService } from '../authentication-service.js'
import { consequencesOf } from '../consequences.js'
import { Refused } from '../errors.js'
import { copyOf } from '../sessions/copy.js'
import { deviceOf } from '../sessions/device.js'
import type { OwnedSession } from '../sessions/records.js'
import type { RefreshToken } from '../tokens/refresh-token.js'
import { checkedBy } from '../validation.js'

/**
 * Signs in with a refresh token (RFC 6749 §6): `{ strategy: 'refresh-token', refreshToken, idempotencyKey? }`.
 * The service signs the new access token; the hook `attachRefreshToken` attaches the new refresh token.
 */
export class RefreshTokenStrategy extends AuthenticationBaseStrategy {
  declare authentication: AuthenticationService
  /** It renews a session, and is no sign-in. */
  readonly renews = true
  /** The schema of its requests. */
  requestSchema!: TObject
  #check!: (data: unknown) => Record<string, string>

  override setAuthentication(service: AuthenticationBase): void {
    requireMoult(service, 'The refresh token strategy needs')
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
    const id = this.authentication.idOf(user)
    const found = { user: () => copyOf(user) }
    const entity = await this.authentication.entityOf(id, found, params, (...args) => this.getEntity(...args))

    return { authentication: { strategy: this.name }, [configuration.entity!]: entity, session }
  }

  /**
   * Finds the entity with the JWT strategy, so that its overrides apply here too.
   *
   * @throws Refused `revoked` when the service does not give it
   */
  async getEntity(id: Id, params: Params): Promise<Document> {
    const strategies = Object.values(this.authentication.strategies)
    const jwt = strategies.find((strategy) => strategy instanceof JWTStrategy)

    // Feathers' type knows no numbers
    return (jwt ?? this.authentication).getEntity(id as string, params)
  }

  async #use(raw: string, idempotencyKey: string | undefined, params: Params): Promise<OwnedSession> {
    const { settings, sessions, previousTokens } = this.authentication
    const token = this.#parse(raw)

    if (token) {
      const owned = await sessions.use(token, idempotencyKey)

      consequencesOf(params)?.push({ failed: () => sessions.unanswered(token) })
      return owned
    }
    if (settings.previousTokens) {
      return previousTokens.use(raw, idempotencyKey, deviceOf(undefined, params))
    }

    throw new Refused('invalid')
  }

  /** Undefined for a token that is not ours. */
  #parse(raw: string): RefreshToken | undefined {
    try {
      return this.authentication.parseRefreshToken(raw)
    } catch (error) {
      if (error instanceof Refused && error.data.reason === 'invalid' && !error.data.retryAfter) {
        return undefined
      }

      throw error
    }
  }
}
