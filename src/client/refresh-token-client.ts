import type { AuthenticationRequest, AuthenticationResult } from '@feathersjs/authentication'
import { AuthenticationClient, type AuthenticationClientOptions } from '@feathersjs/authentication-client'
import type { Application, Params } from '@feathersjs/feathers'
import { suffixOf } from './address.js'
import { isRefused } from './answers.js'
import { call, ready } from './calls.js'
import { initialState } from './core.js'
import type { SessionEndReason } from './options.js'
import { ignored, inTime, timers } from './ports/clock.js'
import { isPage, platform } from './ports/platform.js'
import { socketLink } from './ports/socket.js'
import { sessionStorage, storageTimeout } from './ports/storage.js'
import { otherTabs } from './ports/tabs.js'
import { guardTransport } from './ports/transport.js'
import { dispatch, emit, isExpired, look, renew, show, type Runtime } from './runtime.js'
import { leave, leaveLost, resume, signIn, signOut, stepUp } from './sign-in-and-out.js'

/**
 * An authentication client that keeps its session: the `Authentication` option of `@feathersjs/authentication-client`.
 * It renews access tokens before they expire, and repeats a call whose token was refused. If the service gives no
 * refresh token, it behaves like the stock client.
 *
 * Emits on the app, in addition to the stock events: `refreshed` with the new result, `session-ended` with the reason,
 * and `step-up` with the data of a refusal that asks for a recent sign-in.
 */
export class RefreshTokenClient extends AuthenticationClient {
  readonly #runtime: Runtime

  constructor(app: Application, options: AuthenticationClientOptions) {
    super(app, { refreshTokenField: 'refreshToken', ...options })

    const { cookie, storageKey } = options
    const suffix = suffixOf(this)
    const item = `${storageKey}-session${suffix}`
    const clock = timers(options.clock)
    let isFaulty = false
    const keep = (storage: typeof this.storage | false | undefined, item: string) =>
      sessionStorage(storage, item, clock, (error) => {
        if (!isFaulty) {
          isFaulty = true
          emit(app, 'storage-failed', error)
        }
      })

    this.options.storageKey += suffix

    const runtime: Runtime = (this.#runtime = {
      client: this,
      clock,
      storage: keep(this.storage, item),
      left: keep(cookie && this.storage, `${item}-left`),
      tabs: otherTabs(item, clock, (news) => void look(runtime, news)),
      link: app.io && socketLink(app.io, clock, () => void ready(runtime).catch(ignored)),
      leave: (...lost) => void leaveLost(runtime, ...lost),
      // During server-side rendering nothing is renewed in the background: the client only lives for one request
      state: initialState(cookie, Boolean(isPage || !cookie)),
      waiting: []
    })

    const guard = (service: object) =>
      guardTransport(
        service,
        (send, isSafe) => call(runtime, send, service === this.service, isSafe),
        options
      )

    // The services that the app already has, and those registered later
    Object.values<object>(app.services).forEach(guard)
    app.mixins.push(guard)
    app.io?.on('sessions removed', ({ id, reason }: { id: string; reason: SessionEndReason }) => {
      if (id === runtime.state.result?.session?.id) {
        void dispatch(runtime, 'ended', reason === 'logout' ? null : reason)
      }
    })

    if (isPage) {
      for (const event of ['online', 'focus', 'pageshow', 'visibilitychange', 'storage']) {
        platform.addEventListener?.(event, ({ key }) => {
          // Other items of the storage are the app's
          if (!key || key.startsWith(item)) {
            this.wake()
          }
        })
      }
    }
  }

  override get expiresAt(): number | undefined {
    const { clock, state } = this.#runtime
    const { kept, result, expiresAt } = state

    return kept && result && clock.now() + expiresAt - clock.elapsed()
  }

  /** Replaces the stock client's handling of sockets. The constructor sets up ours. */
  override handleSocket(): void {}

  override setAccessToken(accessToken: string): Promise<unknown> {
    return this.#patiently(() => super.setAccessToken(accessToken))
  }

  override getAccessToken(): Promise<string | null> {
    return this.#patiently(() => super.getAccessToken())
  }

  override removeAccessToken(): Promise<null> {
    const { storage, options } = this

    return this.#patiently(async () =>
      (await storage.getItem(options.storageKey)) === this.#runtime.foreign ? null : super.removeAccessToken()
    )
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
   * Signs in; without `authentication`, as `reAuthenticate`. Sign-ins run one at a time, and the last one counts. With
   * `stepUp: true` the user gives credentials again for the current session.
   *
   * @returns The answer of the service, without its refresh token
   * @throws The error of the service; a user who was signed in before still is
   */
  override authenticate(
    authentication?: AuthenticationRequest,
    params?: Params
  ): Promise<AuthenticationResult> {
    return !authentication
      ? this.reAuthenticate()
      : authentication.stepUp
        ? stepUp(this.#runtime, authentication, params)
        : this.#show((onAccepted) => signIn(this.#runtime, authentication, params, onAccepted))
  }

  /**
   * Resumes the stored session, and asks the service only if necessary.
   *
   * @param force Whether to ask the service in any case
   * @throws NotAuthenticated if there is none, or it was refused; any other error says nothing about it
   */
  override reAuthenticate(force = false, strategy?: string, params?: Params): Promise<AuthenticationResult> {
    const current = this.app.get('authentication')
    const { state } = this.#runtime
    // During a pause between attempts nothing else would renew it
    const isOver = state.failures > 0 && state.result && isExpired(this.#runtime)

    return current && !force && !isOver
      ? current
      : this.#show((onAccepted) => {
          this.#runtime.onResumed = onAccepted
          return resume(this.#runtime, () => super.reAuthenticate(true, strategy, params), strategy, params)
        })
  }

  /**
   * Signs out, in all tabs; on this device also if the service can't be reached.
   *
   * @throws The error, if the service could not be told
   */
  override logout(): Promise<AuthenticationResult | null> {
    return signOut(this.#runtime)
  }

  /** Treats a storage that fails, or never answers, as empty. Errors of OAuth in the location are thrown. */
  #patiently<T>(work: () => Promise<T>): Promise<T | null> {
    // Some storages throw at once, as `localStorage` does
    return inTime(this.#runtime.clock, (async () => work())(), storageTimeout).catch((error) => {
      if (isRefused(error)) {
        throw error
      }

      return null
    })
  }

  /** Makes calls wait for an authentication, up to the answer of the service. If it fails, nothing has changed. */
  #show(
    work: (onAccepted: (result: AuthenticationResult) => void) => Promise<AuthenticationResult>
  ): Promise<AuthenticationResult> {
    const { app } = this
    let authentication: Promise<AuthenticationResult>
    const shown = new Promise<AuthenticationResult>((resolve, reject) => {
      authentication = work(resolve).catch((error) => {
        if (app.get('authentication') === shown) {
          show(this.#runtime)
        }

        throw error
      })
      authentication.then(resolve, reject)
    })

    shown.catch(ignored)
    app.set('authentication', shown)
    return authentication!
  }
}
