import type { AuthenticationRequest, AuthenticationResult } from '@feathersjs/authentication'
import { AuthenticationClient, type AuthenticationClientOptions } from '@feathersjs/authentication-client'
import type { Application, Params } from '@feathersjs/feathers'
import { ignored, systemClock } from './time.js'
import { call, ready } from './calls.js'
import type { Core } from './core.js'
import { follow } from './following.js'
import type { SessionEndReason } from './options.js'
import { renew } from './renewal.js'
import { wake } from './schedule.js'
import { sessionStorage } from './session-storage.js'
import { end, show } from './session.js'
import { leave, resume, signIn, signOut } from './signing.js'
import { socketLink } from './socket-link.js'
import { isPage, surroundings } from './surroundings.js'
import { otherTabs } from './tabs.js'
import { guardTransport } from './transport.js'

/**
 * An authentication client that keeps its session: the `Authentication` option of `@feathersjs/authentication-client`.
 * It renews access tokens before they expire, and repeats a call that came too late; where the service gives no refresh
 * token, it does what the stock client does.
 *
 * Emits on the app, beside the stock events: `refreshed` with the new result, `session-ended` with the reason.
 */
export class RefreshTokenClient extends AuthenticationClient {
  readonly #core: Core

  constructor(app: Application, options: AuthenticationClientOptions) {
    super(app, { refreshTokenField: 'refreshToken', ...options })

    const item = `${options.storageKey}-session`
    const clock = { ...systemClock, ...options.clock }
    const core: Core = (this.#core = {
      client: this,
      clock,
      storage: sessionStorage(this.storage, item),
      left: sessionStorage(options.cookie && this.storage, `${item}-left`),
      stock: sessionStorage(this.storage, options.storageKey),
      tabs: otherTabs(item, () => void follow(core)),
      link: app.io && socketLink(app.io, clock, () => void ready(core).catch(ignored)),
      expiresAt: Infinity,
      renewAt: Infinity,
      failures: 0,
      blockedUntil: 0
    })

    const guard = (service: object) =>
      guardTransport(service, (send, isSafe) => call(core, send, service === this.service, isSafe), options)

    // Those that the app has already, and those to come
    Object.values<object>(app.services).forEach(guard)
    app.mixins.push(guard)
    app.io?.on('sessions removed', ({ id, reason }: { id: string; reason: SessionEndReason }) => {
      if (id === core.result?.session?.id) {
        void end(core, reason === 'logout' ? null : reason)
      }
    })

    if (isPage) {
      for (const event of ['online', 'focus', 'pageshow', 'visibilitychange', 'storage']) {
        surroundings.addEventListener(event, () => this.wake())
      }
    }
  }

  override get expiresAt(): number | undefined {
    const { kept, result, expiresAt } = this.#core

    return kept && result && expiresAt
  }

  /** Our own way is taken in the constructor: here, that of the stock client would be. */
  override handleSocket(): void {}

  override wake(): void {
    wake(this.#core)
    void follow(this.#core)
    void leave(this.#core)
  }

  override async renew(): Promise<AuthenticationResult> {
    await renew(this.#core)
    return this.#core.result!
  }

  /**
   * Signs in; without `authentication`, as `reAuthenticate`. One sign-in at a time: the last one counts.
   *
   * @returns the answer of the service, without its refresh token
   * @throws what the service answers; whoever was signed in before still is
   */
  override authenticate(
    authentication?: AuthenticationRequest,
    params?: Params
  ): Promise<AuthenticationResult> {
    return authentication ? this.#show(signIn(this.#core, authentication, params)) : this.reAuthenticate()
  }

  /**
   * Goes on with the session that is kept, without asking the service where that is not necessary.
   *
   * @param force Ask the service
   * @throws NotAuthenticated when there is none, or it was refused; any other error says nothing about it
   */
  override reAuthenticate(force = false, strategy?: string, params?: Params): Promise<AuthenticationResult> {
    const current = this.app.get('authentication')

    return current && !force
      ? current
      : this.#show(resume(this.#core, () => super.reAuthenticate(true, strategy, params), strategy, params))
  }

  /**
   * Signs out, in all tabs: here also when the service can't be reached.
   *
   * @throws the error of a service that could not be told
   */
  override logout(): Promise<AuthenticationResult | null> {
    return signOut(this.#core, () => super.logout())
  }

  /** Has calls wait for an authentication; if it fails, all is as before. */
  #show(authentication: Promise<AuthenticationResult>): Promise<AuthenticationResult> {
    const { app } = this
    const shown = authentication.catch((error) => {
      if (app.get('authentication') === shown) {
        show(this.#core)
      }

      throw error
    })

    app.set('authentication', shown)
    return shown
  }
}
