import {
  JWTStrategy,
  type AuthenticationBase,
  type AuthenticationParams,
  type AuthenticationRequest,
  type AuthenticationResult,
  type ConnectionEvent
} from '@feathersjs/authentication'
import type { RealTimeConnection } from '@feathersjs/feathers'
import type { Document } from 'mongodb'
import type { IncomingMessage } from 'node:http'
import { Type, type TObject } from '@feathersjs/typebox'
import { AuthenticationService } from './authentication-service.js'
import { ConfigurationError } from './errors.js'
import { present } from './session.js'
import type { OwnedSession } from './session-documents.js'
import { SessionConnections } from './session-connections.js'
import { checkedBy } from './validation.js'

const requestSchema = Type.Object(
  { strategy: Type.String(), accessToken: Type.String() },
  { additionalProperties: false }
)
const checkRequest = checkedBy(requestSchema)

/**
 * The JWT strategy of Feathers, for access tokens whose session has to live. Also what ties a real-time connection
 * to its session: it is disconnected when its access token or its session ends.
 */
export class SessionJwtStrategy extends JWTStrategy {
  declare authentication: AuthenticationService
  /** What requests are checked with. */
  readonly requestSchema: TObject = requestSchema
  #connections!: SessionConnections

  override setAuthentication(service: AuthenticationBase): void {
    if (!(service instanceof AuthenticationService)) {
      throw new ConfigurationError(
        'The session JWT strategy needs the AuthenticationService of moult: register it there'
      )
    }

    super.setAuthentication(service)
    this.#connections = new SessionConnections({ app: this.app!, service, strategy: this.name! })
  }

  /**
   * @throws BadRequest for a malformed request
   * @throws Refused `invalid`, `expired`, `revoked` or `disabled`
   */
  override async authenticate(request: AuthenticationRequest, params: AuthenticationParams) {
    const { accessToken } = checkRequest(request)
    const payload = await this.authentication.verifyAccessToken(accessToken)
    const { user, session, views } = await this.#find(payload)

    return {
      accessToken,
      authentication: { strategy: this.name!, accessToken, payload },
      [this.configuration.entity]: await this.authentication.presentEntity(user, params, views),
      ...(session && { session: present(session, session.id) })
    }
  }

  /** A token of stock Feathers belongs to a user only. */
  async #find({ sub, sid }: Document): Promise<Partial<OwnedSession> & Pick<OwnedSession, 'user'>> {
    const { sessions } = this.authentication

    return sid === undefined ? sessions.findOwner(sub) : sessions.find(sub, sid)
  }

  override async parse(req: IncomingMessage): Promise<{ strategy: string; accessToken: string } | null> {
    const { header, schemes } = this.configuration
    const value = req.headers[header.toLowerCase()]
    const [, scheme, accessToken] = (typeof value === 'string' && /^(\S+) +(.+)$/.exec(value)) || []
    const known = schemes.some((name: string) => name.toLowerCase() === scheme?.toLowerCase())

    return known && accessToken ? { strategy: this.name!, accessToken } : null
  }

  override async handleConnection(
    event: ConnectionEvent,
    connection: RealTimeConnection,
    authResult?: AuthenticationResult
  ): Promise<void> {
    const { accessToken } = authResult ?? {}

    if (event === 'login' && accessToken) {
      await this.#connections.signIn(connection, authResult!)
    }
    if (event === 'logout' && accessToken && connection.authentication?.accessToken === accessToken) {
      await this.#connections.signOut(connection)
    }
    if (event === 'disconnect') {
      await this.#connections.hangUp(connection)
    }
  }
}
