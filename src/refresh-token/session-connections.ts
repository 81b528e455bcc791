import type { AuthenticationResult } from '@feathersjs/authentication'
import type { Application, RealTimeConnection } from '@feathersjs/feathers'
import type { AuthenticationService } from './authentication-service.js'
import { Refused } from './errors.js'
import type { SessionEvent } from './session-events.js'
import { SetMap } from './set-map.js'

const longestTimer = 2 ** 31 - 1 // ms: setTimeout takes no more

interface WatchedToken {
  sub: string
  /** None of a token of stock Feathers: that belongs to no session. */
  sid?: string
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

export interface SessionConnectionsOptions {
  app: Application
  service: AuthenticationService
  /** The strategy whose tokens they are signed in with. */
  strategy: string
}

/** Real-time connections and the sessions that they belong to: a connection ends with its access token or its session. */
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
   * Several sign-ins may be under way on one connection: nothing of it changes until one of them is through, and then
   * all at once.
   *
   * @throws Refused when the session ended, or the account was disabled, meanwhile
   */
  async signIn(connection: RealTimeConnection, authResult: AuthenticationResult): Promise<void> {
    const { accessToken, authentication } = authResult
    const { sub, sid, exp }: { sub: string; sid?: string; exp: number } = authentication.payload
    const membership = this.#membership(connection)
    const attempt = { ended: false }

    membership.signingIn++
    this.#attempts.add(sid ?? '', attempt)

    try {
      // An end of the session is noted from here on; one before shows now
      const { user, session } = await this.#find(sub, sid)
      const entity = await this.#service.presentEntity(user, {})

      if (attempt.ended) {
        throw new Refused('revoked')
      }

      // It may have hung up already, and then no event will come to clean up after it
      if (!membership.gone) {
        this.#forget(connection)
        connection[this.#entity] = entity
        connection.authentication = { strategy: this.#strategy, accessToken }
        this.#watch(connection, { sub, ...(sid && { sid }), expiry: exp * 1000 })

        if (session) {
          connection.session = { id: session.id }
          this.#connections.add(session.id, connection)
          this.#service.live.follow(sub, session)
        }
      }
    } finally {
      membership.signingIn--
      this.#attempts.delete(sid ?? '', attempt)
      this.#leaveIfEnded(connection)
    }
  }

  async #find(sub: string, sid: string | undefined) {
    const { sessions } = this.#service

    return sid === undefined
      ? { ...(await sessions.findOwner(sub)), session: undefined }
      : sessions.find(sub, sid)
  }

  /** It hung up, perhaps while it signed in. */
  async hangUp(connection: RealTimeConnection): Promise<void> {
    this.#membership(connection).gone = true
    await this.signOut(connection)
  }

  async signOut(connection: RealTimeConnection): Promise<void> {
    // As Feathers does: listeners to the same event may still want to know whose connection it was
    await new Promise((resolve) => process.nextTick(resolve))
    this.#clear(connection)
  }

  #clear(connection: RealTimeConnection): void {
    this.#forget(connection)
    delete connection[this.#entity]
    delete connection.authentication
    delete connection.session
  }

  /** Forgets as whom it was signed in. */
  #forget(connection: RealTimeConnection): void {
    const membership = this.#membership(connection)

    clearTimeout(membership.timer)

    if (membership.token?.sid) {
      this.#connections.delete(membership.token.sid, connection)
      this.#service.live.unfollow(membership.token.sub)
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
      () => void this.#look(connection, token),
      Math.min(remaining, longestTimer)
    ).unref()
  }

  async #look(connection: RealTimeConnection, token: WatchedToken): Promise<void> {
    if (token.expiry > this.#service.now()) {
      this.#watch(connection, token)
      return
    }

    // If the session has run out too, its sockets are told so first. Without a database there is nothing to be told.
    await (token.sid && this.#service.sessions.expire(token.sub, token.sid).catch(() => null))
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
