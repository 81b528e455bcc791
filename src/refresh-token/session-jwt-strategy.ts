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

/** What is known of a connection beside what Feathers keeps on it. */
interface Membership {
  /** Sign-ins under way. */
  signingIn: number
  /** Its token or session has ended: it is disconnected, unless a sign-in that is under way succeeds. */
  ended: boolean
  /** It has hung up. */
  gone: boolean
  /** The token that it is signed in with, and the timer that waits for its expiry. */
  token?: WatchedToken
  timer?: NodeJS.Timeout
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
  readonly #memberships = new WeakMap<RealTimeConnection, Membership>()

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
    const { user, session, views } = await this.authentication.sessions.find(payload.sub, payload.sid)

    return {
      accessToken,
      authentication: { strategy: this.name!, accessToken, payload },
      [this.configuration.entity]: await this.authentication.presentEntity(user, params, views),
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
      this.#membership(connection).gone = true
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
    const membership = this.#membership(connection)
    const attempt = { ended: false }

    membership.signingIn++
    this.#attempts.add(sid, attempt)

    try {
      // An end of the session is noted from here on; one before shows now
      const { user, session } = await this.authentication.sessions.find(sub, sid)
      const entity = await this.authentication.presentEntity(user, {})

      if (attempt.ended) {
        throw new Refused('revoked')
      }

      // It may have hung up already, and then no event will come to clean up after it
      if (!membership.gone) {
        this.#forget(connection)
        connection[this.configuration.entity] = entity
        connection.authentication = { strategy: this.name, accessToken }
        connection.session = { id: sid }
        this.#connections.add(sid, connection)
        this.#watch(connection, { sub, sid, expiry: exp * 1000 })
        this.authentication.live.follow(sub, session)
      }
    } finally {
      membership.signingIn--
      this.#attempts.delete(sid, attempt)
      this.#leaveIfEnded(connection)
    }
  }

  #signOut(connection: RealTimeConnection): void {
    this.#forget(connection)
    delete connection[this.configuration.entity]
    delete connection.authentication
    delete connection.session
  }

  /** Forgets as whom it was signed in. */
  #forget(connection: RealTimeConnection): void {
    const membership = this.#membership(connection)

    clearTimeout(membership.timer)

    if (membership.token) {
      this.#connections.delete(membership.token.sid, connection)
      this.authentication.live.unfollow(membership.token.sub)
    }

    delete membership.token
    membership.ended = false
  }

  /** Disconnects when the access token expires. */
  #watch(connection: RealTimeConnection, token: WatchedToken): void {
    const membership = this.#membership(connection)
    const remaining = Math.max(token.expiry - this.authentication.now(), 0)

    membership.token = token
    membership.timer = setTimeout(
      () => void this.#look(connection, token),
      Math.min(remaining, longestTimer)
    ).unref()
  }

  async #look(connection: RealTimeConnection, token: WatchedToken): Promise<void> {
    if (token.expiry > this.authentication.now()) {
      this.#watch(connection, token)
      return
    }

    // If the session has run out too, its sockets are told so first. Without a database there is nothing to be told.
    await this.authentication.sessions.expire(token.sub, token.sid).catch(() => null)
    const membership = this.#membership(connection)

    // It may have a newer one by now
    if (membership.token === token) {
      membership.ended = true
      this.#leaveIfEnded(connection)
    }
  }

  #disconnect(sessionId: string): void {
    this.#attempts.get(sessionId).forEach((attempt) => (attempt.ended = true))

    for (const connection of this.#connections.get(sessionId)) {
      this.#membership(connection).ended = true
      this.#leaveIfEnded(connection)
    }
  }

  #leaveIfEnded(connection: RealTimeConnection): void {
    // Later than the event that says why, which Feathers publishes in a microtask, and than the answer to a sign-in
    setImmediate(() => {
      const { ended, signingIn } = this.#membership(connection)

      if (ended && signingIn === 0) {
        this.app!.emit('disconnect', connection)
      }
    })
  }

  #membership(connection: RealTimeConnection): Membership {
    const membership = this.#memberships.get(connection) ?? { signingIn: 0, ended: false, gone: false }

    this.#memberships.set(connection, membership)
    return membership
  }
}
