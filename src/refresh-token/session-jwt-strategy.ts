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
import { checkedBy } from './validation.js'

const checkRequest = checkedBy(
  Type.Object({ strategy: Type.String(), accessToken: Type.String() }, { additionalProperties: false })
)

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
  readonly #connections = new Map<string, Set<RealTimeConnection>>()
  readonly #signingIn = new WeakSet<RealTimeConnection>()
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

  /** @throws Refused when the session ended, or the account was disabled, while it signed in */
  async #signIn(connection: RealTimeConnection, authResult: AuthenticationResult): Promise<void> {
    const { accessToken, authentication } = authResult
    const { sub, sid, exp } = authentication.payload

    // It hung up before its sign-in was through, and no event will come to clean up after it
    if (this.#gone.has(connection)) {
      return
    }

    this.#forget(connection)
    connection.authentication = { strategy: this.name, accessToken }
    connection.session = { id: sid }
    this.#connections.set(sid, (this.#connections.get(sid) ?? new Set()).add(connection))
    this.#watch(connection, { sub, sid, expiry: exp * 1000 })

    this.#signingIn.add(connection)

    try {
      // From here on the end of the session is noted. What happened before that is seen now.
      const { user } = await this.authentication.sessions.find(sub, sid)

      if (!this.#signingIn.delete(connection)) {
        throw new Refused('revoked')
      }

      connection[this.configuration.entity] = await this.authentication.presentEntity(user, {})
    } catch (error) {
      this.#signingIn.delete(connection)
      this.#signOut(connection)
      throw error
    }
  }

  #signOut(connection: RealTimeConnection): void {
    this.#forget(connection)
    delete connection[this.configuration.entity]
    delete connection.authentication
    delete connection.session
  }

  #forget(connection: RealTimeConnection): void {
    const id = connection.session?.id
    const others = this.#connections.get(id)

    clearTimeout(this.#timers.get(connection))
    others?.delete(connection)

    if (others?.size === 0) {
      this.#connections.delete(id)
    }
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
    // Later than the event that says why, which Feathers publishes in a microtask
    setImmediate(() => {
      for (const connection of [...(this.#connections.get(sessionId) ?? [])]) {
        // One that is just signing in hears of it by the answer
        if (!this.#signingIn.delete(connection)) {
          this.app!.emit('disconnect', connection)
        }
      }
    })
  }
}
