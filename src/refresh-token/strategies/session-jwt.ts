import {
  JWTStrategy,
  type AuthenticationBase,
  type AuthenticationParams,
  type AuthenticationRequest,
  type AuthenticationResult,
  type ConnectionEvent
} from '@feathersjs/authentication'
import type { Id, Params, RealTimeConnection } from '@feathersjs/feathers'
import type { Document } from 'mongodb'
import type { IncomingMessage } from 'node:http'
import { Type, type TObject } from '@feathersjs/typebox'
import { requireMoult, type AuthenticationService } from '../authentication-service.js'
import type { FoundSession, FoundUser } from '../live/live-sessions.js'
import { present } from '../sessions/session.js'
import { SessionConnections } from './connections.js'
import { checkedBy } from '../validation.js'

// Other fields are ignored, as in Feathers: `params.authentication` has some, and may be passed on as a request
const requestSchema = Type.Object({ strategy: Type.String(), accessToken: Type.String() })
const checkRequest = checkedBy(requestSchema)

/**
 * The JWT strategy of Feathers. Accepts an access token only while its session is alive, and disconnects a real-time
 * connection when its access token or its session ends.
 */
export class SessionJwtStrategy extends JWTStrategy {
  declare authentication: AuthenticationService
  /** The schema of its requests. */
  readonly requestSchema: TObject = requestSchema
  #connections!: SessionConnections
  #hasService?: boolean
  #merged?: { from: unknown; configuration: JWTStrategy['configuration'] }

  /** A copy, as in Feathers; merged with its defaults once, not at each access. */
  override get configuration(): JWTStrategy['configuration'] {
    const from: unknown = this.app!.get(this.authentication.configKey)

    if (this.#merged?.from !== from) {
      this.#merged = { from, configuration: super.configuration }
    }

    return { ...this.#merged!.configuration }
  }

  override setAuthentication(service: AuthenticationBase): void {
    requireMoult(service, 'The session JWT strategy needs')
    super.setAuthentication(service)
    this.#connections = new SessionConnections({ app: this.app!, service, strategy: this.name! })
  }

  /**
   * @throws BadRequest for a malformed request
   * @throws Refused `invalid`, `expired`, `revoked` or `disabled`
   */
  override async authenticate(request: AuthenticationRequest, params: AuthenticationParams) {
    const { accessToken } = checkRequest(request)
    const payload = await this.authentication.verifyAccessToken(accessToken, params.jwt)
    const result = { accessToken, authentication: { strategy: this.name!, accessToken, payload } }
    const id = await this.getEntityId(result, params)
    const found = await this.#find(String(id), payload)
    const entity = await this.authentication.entityOf(
      id,
      found,
      params,
      (...asked) => this.getEntity(...asked),
      this.#isPlain()
    )

    return {
      ...result,
      [this.configuration.entity]: entity,
      ...(found.session && { session: present(found.session, found.session.id) })
    }
  }

  /** Whether it asks for entities as this class does, of the service of the settings. */
  #isPlain(): boolean {
    this.#hasService ??= this.configuration.service === this.authentication.configuration.service

    return (
      this.#hasService &&
      this.constructor === SessionJwtStrategy &&
      this.getEntity === SessionJwtStrategy.prototype.getEntity &&
      this.getEntityQuery === SessionJwtStrategy.prototype.getEntityQuery
    )
  }

  /** As in Feathers; `getEntityQuery` may add conditions. @throws Refused `revoked` when the service does not give it */
  override async getEntity(id: Id, params: Params): Promise<Document> {
    const query = await this.getEntityQuery(params)

    return this.authentication.getEntity(id, params, { query, service: this.entityService })
  }

  /** A token of stock Feathers belongs to a user, but to no session. */
  async #find(userId: string, { sid }: Document): Promise<FoundUser & Partial<FoundSession>> {
    const { live } = this.authentication

    return sid === undefined ? live.findUser(userId) : live.find(userId, sid)
  }

  /** As in Feathers, where any text may be a token, except that a scheme alone isn't one. Takes linear time. */
  override async parse(req: IncomingMessage): Promise<{ strategy: string; accessToken: string } | null> {
    const { header, schemes } = this.configuration
    const value = String(req.headers?.[header.toLowerCase()] ?? '')
    const [scheme, token] = value.trim().split(/\s+/, 2) as [string, string?]
    const isToken =
      token === undefined
        ? !schemes.some((each: string) => new RegExp(`^${each}$`, 'i').test(scheme))
        : schemes.some((each: string) => new RegExp(each, 'i').test(scheme))

    return value && isToken ? { strategy: this.name!, accessToken: token ?? value } : null
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
