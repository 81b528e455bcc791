import type { AuthenticationResult } from '@feathersjs/authentication'
import type { Application, RealTimeConnection } from '@feathersjs/feathers'
import type { AuthenticationService } from '../authentication-service.js'
import { Refused } from '../errors.js'
import type { SessionEvent } from '../sessions/events.js'
import { SetMap } from './set-map.js'

const maxTimeout = 2 ** 31 - 1 // ms: the limit of setTimeout

interface WatchedToken {
  userId: string
  /** Missing for a token of stock Feathers, which belongs to no session. */
  sid?: string
  /** ms since 1970 */
  expiry: number
}

/** The state of a connection, in addition to what Feathers stores on it. */
interface Membership {
  /** Sign-ins under way. */
  signingIn: number
  /** Its token or session has ended: it is disconnected, unless a sign-in under way succeeds. */
  ended: boolean
  /** It has disconnected. */
  gone: boolean
  /** The token that it is signed in with, and the timer of its expiry. */
  token?: WatchedToken
  timer?: NodeJS.Timeout
}

export interface SessionConnectionsOptions {
  app: Application
  service: AuthenticationService
  /** The name of the strategy that signs them in. */
  strategy: string
}

/** Ties real-time connections to their sessions: disconnects each when its access token or its session ends. */
export class SessionConnections {
  readonly #app: Application
  readonly #service: AuthenticationService
  readonly #strategy: string
  readonly #connections = new SetMap<string, RealTimeConnection>()
  readonly #attempts = new SetMap<string, { ended: boolean }>()
  readonly #memberships = new WeakMap<RealTimeConnection, Membership>()

  constructor({ app, service, strategy }: SessionConnectionsOptions) {
    this.#app = app
    this.#service = service
    this.#strategy = strategy
    service.sessions.on('removed', ({ session }: SessionEvent) => this.#disconnect(session.id))
  }

  /**
   * Signs a connection in. Several sign-ins may be under way on one connection; it changes only when one succeeds, and
   * then all at once.
   *
   * @throws Refused when the session ended, or the user was disabled, meanwhile
   */
  async signIn(connection: RealTimeConnection, authResult: AuthenticationResult): Promise<void> {
    const { accessToken, authentication } = authResult
    const { sid, exp }: { sid?: string; exp: number } =
      authentication?.payload ?? (await this.#service.verifyAccessToken(accessToken))
    const userId = this.#service.userIdOf(authResult) ?? ''
    const membership = this.#membership(connection)
    const attempt = { ended: false }

    membership.signingIn++
    this.#attempts.add(sid ?? '', attempt)

    try {
      // If the session ends from here on, this attempt is marked; an earlier end shows in what is read
      const found = sid && (await this.#service.live.find(userId, sid))

      if (attempt.ended) {
        throw new Refused('revoked')
      }

      // After a disconnect, no event would clean up
      if (!membership.gone) {
        this.#forget(connection)
        connection[this.#entity] = this.#service.withoutSecrets(authResult[this.#entity])
        connection.authentication = { strategy: this.#strategy, accessToken }
        this.#watch(connection, { userId, ...(sid && { sid }), expiry: exp * 1000 })

        if (found) {
          connection.session = { id: found.session.id }
          this.#connections.add(found.session.id, connection)
          this.#service.live.follow(userId, found.session)
        }
      }
    } finally {
      membership.signingIn--
      this.#attempts.delete(sid ?? '', attempt)
      this.#leaveIfEnded(connection)
    }
  }

  /** Cleans up after a disconnect, which may have come during a sign-in. */
  async hangUp(connection: RealTimeConnection): Promise<void> {
    this.#membership(connection).gone = true
    await this.signOut(connection)
  }

  async signOut(connection: RealTimeConnection): Promise<void> {
    // As Feathers does: other listeners to the same event may need to know whose connection it was
    await new Promise((resolve) => process.nextTick(resolve))
    this.#clear(connection)
  }

  #clear(connection: RealTimeConnection): void {
    this.#forget(connection)
    delete connection[this.#entity]
    delete connection.authentication
    delete connection.session
  }

  /** Forgets the token and session that it was signed in with. */
  #forget(connection: RealTimeConnection): void {
    const membership = this.#membership(connection)

    clearTimeout(membership.timer)

    if (membership.token?.sid) {
      this.#connections.delete(membership.token.sid, connection)
      this.#service.live.unfollow(membership.token.userId)
    }

    delete connection.session
    delete membership.token
    membership.ended = false
  }

  /** Disconnects when the access token expires. */
  #watch(connection: RealTimeConnection, token: WatchedToken): void {
    const membership = this.#membership(connection)
    const remaining = Math.max(token.expiry - this.#service.now(), 0)

    membership.token = token
    membership.timer = setTimeout(
      () => void this.#expire(connection, token),
      Math.min(remaining, maxTimeout)
    ).unref()
  }

  async #expire(connection: RealTimeConnection, token: WatchedToken): Promise<void> {
    if (token.expiry > this.#service.now()) {
      this.#watch(connection, token)
      return
    }

    // If the session has expired too, its sockets are sent that event first
    await (token.sid && this.#service.sessions.expire(token.userId, token.sid).catch(() => null))
    const membership = this.#membership(connection)

    // It may have a newer token by now
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
    // After the event with the reason, which Feathers publishes in a microtask, and after the answer to a sign-in
    setImmediate(() => {
      const { ended, signingIn } = this.#membership(connection)

      if (ended && signingIn === 0) {
        this.#app.emit('disconnect', connection)
      }
    })
  }

  get #entity(): string {
    return this.#service.configuration.entity!
  }

  #membership(connection: RealTimeConnection): Membership {
    const membership = this.#memberships.get(connection) ?? { signingIn: 0, ended: false, gone: false }

    this.#memberships.set(connection, membership)
    return membership
  }
}
