import type { AuthenticationRequest, AuthenticationResult } from '@feathersjs/authentication'
import { AuthenticationClient, type AuthenticationClientOptions } from '@feathersjs/authentication-client'
import type { Application, Params } from '@feathersjs/feathers'
import { itemOf } from './address.js'
import { isRefused } from './answers.js'
import { call, ready } from './calls.js'
import { initialState } from './core.js'
import type { SessionEndReason } from './options.js'
import { ignored, inTime, timers } from './ports/clock.js'
import { isPage, platform } from './ports/platform.js'
import { socketLink } from './ports/socket.js'
import { sessionStorage, storagePatience } from './ports/storage.js'
import { otherTabs } from './ports/tabs.js'
import { guardTransport } from './ports/transport.js'
import { dispatch, emit, look, renew, show, type Runtime } from './runtime.js'
import { leave, resume, signIn, signOut, stepUp } from './sign-in-and-out.js'

/**
 * An authentication client that keeps its session: the `Authentication` option of `@feathersjs/authentication-client`.
 * It renews access tokens before they expire, and repeats a call that came too late; where the service gives no refresh
 * token, it does what the stock client does.
 *
 * Emits on the app, beside the stock events: `refreshed` with the new result, `session-ended` with the reason, `step-up`
 * with what a call asks for that takes a recent sign-in.
 */
export class RefreshTokenClient extends AuthenticationClient {
  readonly #runtime: Runtime

  constructor(app: Application, options: AuthenticationClientOptions) {
    super(app, { refreshTokenField: 'refreshToken', ...options })

    const { cookie, storageKey } = options
    const item = itemOf(this)
    const clock = timers(options.clock)
    let isFaulty = false
    const keep = (storage: typeof this.storage | false | undefined, item: string) =>
      sessionStorage(storage, item, clock, (error) => {
        if (!isFaulty) {
          isFaulty = true
          emit(app, 'storage-failed', error)
        }
      })

    const runtime: Runtime = (this.#runtime = {
      client: this,
      clock,
      storage: keep(this.storage, item),
      left: keep(cookie && this.storage, `${item}-left`),
      stock: keep(this.storage, storageKey),
      tabs: otherTabs(item, clock, (news) => void look(runtime, news)),
      link: app.io && socketLink(app.io, clock, () => void ready(runtime).catch(ignored)),
      // A request of the server for a page has no life of its own: nothing is renewed after its answer
      state: initialState(cookie, Boolean(isPage || !cookie)),
      waiting: []
    })

    const guard = (service: object) =>
      guardTransport(
        service,
        (send, isSafe) => call(runtime, send, service === this.service, isSafe),
        options
      )

    // Those that the app has already, and those to come
    Object.values<object>(app.services).forEach(guard)
    app.mixins.push(guard)
    app.io?.on('sessions removed', ({ id, reason }: { id: string; reason: SessionEndReason }) => {
      if (id === runtime.state.result?.session?.id) {
        void dispatch(runtime, 'ended', reason === 'logout' ? null : reason)
      }
    })

    if (isPage) {
      for (const event of ['online', 'focus', 'pageshow', 'visibilitychange', 'storage']) {
        platform.addEventListener?.(event, () => this.wake())
      }
    }
  }

  override get expiresAt(): number | undefined {
    const { clock, state } = this.#runtime
    const { kept, result, expiresAt } = state

    return kept && result && clock.now() + expiresAt - clock.elapsed()
  }

  /** Our own way is taken in the constructor: here, that of the stock client would be. */
  override handleSocket(): void {}

  override setAccessToken(accessToken: string): Promise<unknown> {
    return this.#patiently(super.setAccessToken(accessToken))
  }

  override getAccessToken(): Promise<string | null> {
    return this.#patiently(super.getAccessToken())
  }

  override removeAccessToken(): Promise<null> {
    return this.#patiently(super.removeAccessToken())
  }

  override wake(): void {
    void dispatch(this.#runtime, 'woke')
    void look(this.#runtime)
    void leave(this.#runtime)
  }

  override renew(): Promise<AuthenticationResult> {
    return renew(this.#runtime, true)
  }

  /**
   * Signs in; without `authentication`, as `reAuthenticate`. One sign-in at a time: the last one counts. With
   * `stepUp: true` it gives credentials again, for the session at hand.
   *
   * @returns the answer of the service, without its refresh token
   * @throws what the service answers; who was signed in before still is
   */
  override authenticate(
    authentication?: AuthenticationRequest,
    params?: Params
  ): Promise<AuthenticationResult> {
    return !authentication
      ? this.reAuthenticate()
      : authentication.stepUp
        ? stepUp(this.#runtime, authentication, params)
        : this.#show(signIn(this.#runtime, authentication, params))
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
      : this.#show(
          resume(this.#runtime, () => super.reAuthenticate(true, strategy, params), strategy, params)
        )
  }

  /**
   * Signs out, in all tabs: here also when the service can't be reached.
   *
   * @throws the error of a service that could not be told
   */
  override logout(): Promise<AuthenticationResult | null> {
    return signOut(this.#runtime)
  }

  /** A storage that fails, or never answers, holds nothing. Not so the location: it holds errors of OAuth. */
  #patiently<T>(work: Promise<T>): Promise<T | null> {
    return inTime(this.#runtime.clock, work, storagePatience).catch((error) => {
      if (isRefused(error)) {
        throw error
      }

      return null
    })
  }

  /** Has calls wait for an authentication; if it fails, all is as before. */
  #show(authentication: Promise<AuthenticationResult>): Promise<AuthenticationResult> {
    const { app } = this
    const shown = authentication.catch((error) => {
      if (app.get('authentication') === shown) {
        show(this.#runtime)
      }

      throw error
    })

    app.set('authentication', shown)
    return shown
  }
}
