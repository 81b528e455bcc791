import {
  JWTStrategy,
  type AuthenticationBase,
  type AuthenticationParams,
  type AuthenticationRequest,
  type AuthenticationResult,
  type ConnectionEvent
} from '@feathersjs/authentication'
import type { RealTimeConnection } from '@feathersjs/feathers'
import type { IncomingMessage } from 'node:http'
import { Type } from '@feathersjs/typebox'
import { AuthenticationService } from './authentication-service.js'
import { ConfigurationError, Refused } from './errors.js'
import { present } from './session.js'
import type { SessionEvent } from './session-store.js'
import { SetMap } from './set-map.js'
import { checkedBy } from './validation.js'

const requestSchema = Type.Object(
  { strategy: Type.String(), accessToken: Type.String() },
  { additionalProperties: false }
)
const checkRequest = checkedBy(requestSchema)

const longestTimer = 2 ** 31 - 1 // ms: setTimeout takes no more

interface WatchedToken {
  sub: string
  sid: string
  /** ms since 1970 */
  expiry: number
}

/**
 * The JWT strategy of Feathers, for access tokens whose session has to live. Also what ties a real-time connection
 * to its session: it is disconnected when its access token or its session ends.
 */
export class SessionJwtStrategy extends JWTStrategy {
  declare authentication: AuthenticationService
  /** What requests are checked with. */
  readonly requestSchema = requestSchema
  readonly #connections = new SetMap<string, RealTimeConnection>()
  readonly #attempts = new SetMap<string, { ended: boolean }>()
  readonly #gone = new WeakSet<RealTimeConnection>()
  readonly #timers = new WeakMap<RealTimeConnection, NodeJS.Timeout>()

  override setAuthentication(service: AuthenticationBase): void {
    if (!(service instanceof AuthenticationService)) {
      throw new ConfigurationError(
        'The session JWT strategy needs the AuthenticationService of moult: register it there'
      )
    }

    super.setAuthentication(service)
    service.sessions.on('removed', ({ session }: SessionEvent) => this.#disconnect(session.id))
  }

  /**
   * @throws BadRequest for a malformed request
   * @throws Refused `invalid`, `expired`, `revoked` or `disabled`
   */
  override async authenticate(request: AuthenticationRequest, params: AuthenticationParams) {
    const { accessToken } = checkRequest(request)
    const payload = await this.authentication.verifyAccessToken(accessToken)
    const { user, session } = await this.authentication.sessions.find(payload.sub, payload.sid)

    return {
      accessToken,
      authentication: { strategy: this.name!, accessToken, payload },
      [this.configuration.entity]: await this.authentication.presentEntity(user, params),
      session: present(session, session.id)
    }
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

    if (event === 'disconnect') {
      this.#gone.add(connection)
    }
    if (event === 'login' && accessToken) {
      await this.#signIn(connection, authResult!)
    } else if (
      event === 'disconnect' ||
      (event === 'logout' && accessToken && connection.authentication?.accessToken === accessToken)
    ) {
      // As Feathers does: listeners to the same event may still want to know whose connection it was
      await new Promise((resolve) => process.nextTick(resolve))
      this.#signOut(connection)
    }
  }

  /**
   * Several sign-ins may be under way on one connection: nothing of it changes until one of them is through, and then
   * all at once.
   *
   * @throws Refused when the session ended, or the account was disabled, meanwhile
   */
  async #signIn(connection: RealTimeConnection, authResult: AuthenticationResult): Promise<void> {
    const { accessToken, authentication } = authResult
    const { sub, sid, exp } = authentication.payload
    const attempt = { ended: false }

    this.#attempts.add(sid, attempt)

    try {
      // An end of the session is noted from here on; one before shows now
      const { user } = await this.authentication.sessions.find(sub, sid)
      const entity = await this.authentication.presentEntity(user, {})

      if (attempt.ended) {
        throw new Refused('revoked')
      }

      // It may have hung up already, and then no event will come to clean up after it
      if (!this.#gone.has(connection)) {
        this.#forget(connection)
        connection[this.configuration.entity] = entity
        connection.authentication = { strategy: this.name, accessToken }
        connection.session = { id: sid }
        this.#connections.add(sid, connection)
        this.#watch(connection, { sub, sid, expiry: exp * 1000 })
      }
    } finally {
      this.#attempts.delete(sid, attempt)
    }
  }

  #signOut(connection: RealTimeConnection): void {
    this.#forget(connection)
    delete connection[this.configuration.entity]
    delete connection.authentication
    delete connection.session
  }

  #forget(connection: RealTimeConnection): void {
    clearTimeout(this.#timers.get(connection))
    this.#connections.delete(connection.session?.id, connection)
  }

  /** Disconnects when the access token expires. */
  #watch(connection: RealTimeConnection, token: WatchedToken): void {
    const remaining = Math.max(token.expiry - this.authentication.now(), 0)
    const timer = setTimeout(() => void this.#look(connection, token), Math.min(remaining, longestTimer))

    this.#timers.set(connection, timer.unref())
  }

  async #look(connection: RealTimeConnection, token: WatchedToken): Promise<void> {
    if (token.expiry > this.authentication.now()) {
      this.#watch(connection, token)
      return
    }

    // If the session has run out too, its sockets are told so first. Without a database there is nothing to be told.
    await this.authentication.sessions.expire(token.sub, token.sid).catch(() => null)
    setImmediate(() => this.app!.emit('disconnect', connection))
  }

  #disconnect(sessionId: string): void {
    this.#attempts.get(sessionId).forEach((attempt) => (attempt.ended = true))

    // Later than the event that says why, which Feathers publishes in a microtask
    setImmediate(() => {
      for (const connection of this.#connections.get(sessionId)) {
        this.app!.emit('disconnect', connection)
      }
    })
  }
}
