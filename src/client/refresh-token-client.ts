import type { AuthenticationRequest, AuthenticationResult } from '@feathersjs/authentication'
import { AuthenticationClient, type AuthenticationClientOptions } from '@feathersjs/authentication-client'
import { NotAuthenticated } from '@feathersjs/errors'
import type { Application, Params } from '@feathersjs/feathers'
import { Alarm, backoff, systemClock, within } from './alarm.js'
import { refusalOf, retryAfterOf } from './answers.js'
import { authenticateByCookie, withCookies } from './cookie.js'
import type { Clock, SessionEndReason } from './options.js'
import { newKey, SessionStorage, type Kept } from './session-storage.js'
import { SocketLink } from './socket-link.js'
import { isPage, surroundings } from './surroundings.js'
import { Tabs } from './tabs.js'
import { guardTransport, type Send } from './transport.js'

const longestRefresh = 20_000 // ms: the service answers within 15 s
const earliest = 0.75 // of an access token's life: when it is renewed
const shortestPause = 1000 // ms between two renewals: a session that is about to run out has tokens that live for no time
const spread = 0.15 // of it: so that many clients are not in step

const ignored = () => {}

/**
 * An authentication client that keeps its session: the `Authentication` option of `@feathersjs/authentication-client`.
 * It renews access tokens before they expire, and repeats a call that came too late; where the service gives no refresh
 * token, it does what the stock client does.
 *
 * Emits on the app, beside the stock events: `refreshed` with the new result, `session-ended` with the reason.
 */
export class RefreshTokenClient extends AuthenticationClient {
  readonly #clock: Clock
  readonly #kept: SessionStorage
  readonly #tabs: Tabs
  readonly #alarm: Alarm
  readonly #field: string
  readonly #link: SocketLink | undefined
  /** The session as it was kept or read last. None: nobody is signed in, or by a service without refresh tokens. */
  #session: Kept | undefined
  #result: AuthenticationResult | undefined
  #expiresAt = Infinity // ms since 1970
  #takesPart = false // once the app has asked who is signed in
  #renewal: Promise<void> | undefined
  #signing: Promise<unknown> | undefined
  #turn: Promise<unknown> = Promise.resolve()
  #failures = 0
  #failure: unknown
  #blockedUntil = 0 // ms since 1970

  constructor(app: Application, options: AuthenticationClientOptions) {
    super(app, options)

    const item = `${options.storageKey}-session`

    this.#clock = { ...systemClock, ...options.clock }
    this.#field = options.refreshTokenField ?? 'refreshToken'
    this.#kept = new SessionStorage(this.storage, item)
    this.#tabs = new Tabs(item, () => void this.#follow())
    this.#alarm = new Alarm(this.#clock, () => void this.#renew().catch(ignored))
    this.#link = app.io && new SocketLink(app.io, this.#clock, () => void this.#ready().catch(ignored))

    app.io?.on('sessions removed', ({ id, reason }: { id: string; reason: SessionEndReason }) => {
      if (id === this.#result?.session?.id) {
        void this.#end(reason === 'logout' ? null : reason)
      }
    })
    app.mixins.push((service) =>
      guardTransport(
        service,
        (send) => (service === this.service ? this.#ask(send) : this.#call(send)),
        options
      )
    )

    if (isPage) {
      for (const event of ['online', 'focus', 'pageshow', 'visibilitychange']) {
        surroundings.addEventListener?.(event, () => this.wake())
      }
    }
  }

  /** When the access token expires, in ms since 1970 by this device's clock; `undefined` when nobody is signed in. */
  get expiresAt(): number | undefined {
    return this.#session && this.#result && this.#expiresAt
  }

  /** Our own way is taken in the constructor: here, that of the stock client would be. */
  override handleSocket(): void {}

  /** Looks at the clock and the storage: timers stand still while a device sleeps. Pages do this by themselves. */
  wake(): void {
    if (this.#failures && this.#clock.now() >= this.#blockedUntil) {
      this.#alarm.set(0)
    }
    this.#alarm.look()
    void this.#follow()
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
    if (!authentication) {
      return this.reAuthenticate()
    }

    return this.#show(this.#takeTurn(() => this.#signIn(authentication, params)))
  }

  /**
   * Goes on with the session that is kept, without asking the service where that is not necessary.
   *
   * @param force Ask the service
   * @throws NotAuthenticated when there is none, or it was refused; any other error says nothing about it
   */
  override reAuthenticate(force = false, strategy?: string, params?: Params): Promise<AuthenticationResult> {
    const current = this.app.get('authentication')

    return current && !force ? current : this.#show(this.#resume(strategy, params))
  }

  /**
   * Signs out, in all tabs: here also when the service can't be reached.
   *
   * @throws the error of a service that could not be told
   */
  override logout(): Promise<AuthenticationResult | null> {
    return this.#takeTurn(() => this.#signOut())
  }

  async #signIn(data: AuthenticationRequest, params?: Params): Promise<AuthenticationResult> {
    const askedAt = this.#clock.now()
    const { cookie, jwtStrategy } = this.options
    const byCookie = cookie && data.strategy !== jwtStrategy && data.strategy !== 'refresh-token'

    try {
      await this.#keep(await this.#create(byCookie ? { ...data, cookie } : data, params), askedAt, true)

      return this.#result!
    } catch (error) {
      if (!this.#session && isRefused(error)) {
        await this.#forget()
      }

      throw error
    }
  }

  async #resume(strategy?: string, params?: Params): Promise<AuthenticationResult> {
    this.#session ??= await this.#kept.read()

    if (!this.#session && !this.options.cookie) {
      return this.#resumeStock(strategy, params)
    }
    if (this.#result && !this.#isExpired()) {
      await this.#confirm(strategy, params)
    } else {
      await this.#renew()
    }

    return this.#result!
  }

  async #resumeStock(strategy = this.options.jwtStrategy, params?: Params): Promise<AuthenticationResult> {
    const accessToken = await this.getAccessToken()

    if (!accessToken) {
      throw new NotAuthenticated('No accessToken found in storage')
    }

    return this.#takeTurn(() => this.#signIn({ strategy, accessToken }, params))
  }

  async #signOut(): Promise<AuthenticationResult | null> {
    this.#session ??= await this.#kept.read()

    if (!this.#session) {
      this.#result = undefined
      return super.logout()
    }

    let answer: AuthenticationResult | null = null

    try {
      await this.#ready()
      answer = await this.#remove(this.#result!.accessToken)
    } catch (error) {
      if (!isRefused(error)) {
        throw error
      }
    } finally {
      await this.#end(null, answer)
    }

    return answer
  }

  /** All who need a new access token wait for one refresh. */
  #renew(): Promise<void> {
    return (this.#renewal ??= this.#tryToRenew().finally(() => (this.#renewal = undefined)))
  }

  async #tryToRenew(): Promise<void> {
    if (this.#clock.now() < this.#blockedUntil) {
      throw this.#failure
    }

    const old = this.#result?.accessToken

    try {
      await this.#link?.connected()
      await this.#tabs.oneAtATime(() => this.#refresh(old))
    } catch (error) {
      if (this.#session) {
        this.#tryLater(error)
      }

      throw error
    }
  }

  #tryLater(error: unknown): void {
    const now = this.#clock.now()
    const asked = retryAfterOf(error)

    this.#failure = error
    this.#blockedUntil = asked === undefined ? 0 : now + asked
    this.#schedule(now + (asked ?? 0) + backoff(++this.#failures))
  }

  /** Takes another tab's result if there is one; else asks the service, again if the storage changed meanwhile. */
  async #refresh(old: string | undefined): Promise<void> {
    for (;;) {
      let kept = await this.#read()

      if (this.#result && kept.key !== this.#session?.key) {
        // Another tab is about to tell, or has told and it does not show in the storage yet
        await this.#tabs.hears(kept.key)
        this.#adopt('key', kept.key)
        kept = await this.#read()
      }
      if (this.#result?.accessToken !== old) {
        return
      }

      this.#session = kept

      if (await this.#useRefreshToken(kept)) {
        return
      }
    }
  }

  /** What is in the storage now. @throws NotAuthenticated when it is gone: another tab has signed out */
  async #read(): Promise<Kept> {
    const kept = await this.#kept.read()

    if (kept) {
      return kept
    }
    if (this.options.cookie && !this.#session) {
      // A cookie can't be seen: there may be one, of a page that the server made
      const guess = { key: newKey() }

      await this.#kept.write(guess)
      return guess
    }

    await this.#end(null)
    throw new NotAuthenticated('Signed out meanwhile')
  }

  /** @returns whether it could be used before the storage changed */
  async #useRefreshToken({ key, refreshToken }: Kept): Promise<boolean> {
    const askedAt = this.#clock.now()
    const { cookie } = this.options
    const isStillKept = async () => (await this.#kept.read())?.key === key
    let answer

    try {
      answer = await within(
        this.#clock,
        longestRefresh,
        this.#create({ strategy: 'refresh-token', [this.#field]: refreshToken, idempotencyKey: key }),
        'There was no answer in time'
      )
    } catch (error) {
      // Without a cookie there is no reason, and nothing to go on with
      const reason = refusalOf(error) ?? (cookie && error instanceof NotAuthenticated ? 'expired' : undefined)

      if (!reason) {
        throw error
      }
      if (await isStillKept()) {
        await this.#end(reason)
        throw error
      }

      return false
    }

    if (await isStillKept()) {
      await this.#keep(answer, askedAt)
      return true
    }

    this.#discard(answer)
    return false
  }

  /** An answer that came too late is not to sign anybody in again, neither here nor on the socket. */
  #discard({ accessToken }: AuthenticationResult): void {
    if (this.#link) {
      this.#link.token = undefined
      void this.#ready().catch(ignored)
    } else if (!this.#session) {
      void this.#remove(accessToken).catch(ignored)
    }
  }

  /** Takes over an answer of the service. @param askedAt ms since 1970 */
  async #keep(answer: AuthenticationResult, askedAt: number, isSignIn = false): Promise<void> {
    const { cookie } = this.options
    const { [this.#field]: refreshToken, ...result } = answer
    const expiresAt = askedAt + lifeOf(result)

    if (refreshToken || (cookie && result.session)) {
      const key = newKey()
      const from = this.#session?.key

      this.#session = { key, refreshToken }
      await this.#kept.write(this.#session)
      this.#tabs.tell({ key, from, result, expiresAt })
    } else {
      this.#session = undefined
      await this.#kept.write(undefined)
      await this.setAccessToken(result.accessToken)
    }

    this.#take(result, expiresAt, isSignIn)
  }

  #take(result: AuthenticationResult, expiresAt: number, isSignIn = false): void {
    const isOther = isSignIn || !this.#result || this.#result.session?.id !== result.session?.id
    const renewAt = expiresAt - lifeOf(result) * (1 - earliest - spread * Math.random())

    this.#result = result
    this.#expiresAt = expiresAt
    this.authenticated = true
    this.app.set('authentication', Promise.resolve(result))
    this.#schedule(Math.max(renewAt, this.#clock.now() + shortestPause))
    this.#failures = this.#blockedUntil = 0
    // Its own socket, if that is not signed in with this token yet
    void this.#ready().catch(ignored)

    if (isOther) {
      this.app.emit('login', result)
      this.app.emit('authenticated', result)
    } else {
      this.app.emit('refreshed', result)
    }
  }

  /** A request of the server for a page has no life of its own: nothing is renewed after its answer. */
  #schedule(at: number): void {
    this.#alarm.set(this.#session && (isPage || !this.options.cookie) ? at : Infinity)
  }

  /** The session is over, here and in the other tabs. @param reason `null`: signed out */
  async #end(reason: SessionEndReason | null, answer: AuthenticationResult | null = null): Promise<void> {
    if (!this.#session) {
      return
    }

    const wasKnown = this.#session.refreshToken !== undefined || this.#result !== undefined

    this.#session = this.#result = undefined
    this.authenticated = false
    this.#alarm.set(Infinity)
    this.app.set('authentication', null)
    this.#tabs.tell({ key: null, reason })
    await this.#kept.write(undefined)

    if (wasKnown) {
      this.app.emit(reason ? 'session-ended' : 'logout', reason ?? answer)
    }
  }

  /** Does what another tab did. */
  async #follow(): Promise<void> {
    // What replaces our own key is for us, even if the storage does not show it yet
    if (!this.#takesPart || this.#adopt('from', this.#session?.key)) {
      return
    }

    const kept = await this.#kept.read()

    if (kept?.key === this.#session?.key || this.#adopt('key', kept?.key)) {
      return
    }
    if (!kept) {
      await this.#tabs.hears(null)

      if (!(await this.#kept.read())) {
        await this.#end(this.#tabs.news?.key === null ? this.#tabs.news.reason : null)
      }
    } else if (!(await this.#tabs.hears(kept.key))) {
      await this.#renew().catch(ignored)
    }
  }

  /** Takes the result that another tab told of last, if that is kept under this key, or replaces what was. */
  #adopt(end: 'key' | 'from', key: string | undefined): boolean {
    const { news } = this.#tabs

    if (!key || !news?.key || news[end] !== key) {
      return false
    }

    this.#session = { key: news.key }
    this.#take(news.result, news.expiresAt)
    this.#tabs.hurry()
    return true
  }

  /** A call of a service. One that is refused because of its access token is repeated, once. */
  async #call<T>(send: Send<T>): Promise<T> {
    const token = await (this.#link ? this.#link.queue(() => this.#ready()) : this.#ready())

    try {
      return await this.#sent(send, token)
    } catch (error) {
      if (!this.#session || !token || !refusalOf(error)) {
        throw error
      }
      if (token === this.#result?.accessToken) {
        await this.#renew()
      }

      return this.#sent(send, await this.#ready())
    }
  }

  /** A call of the authentication service. */
  async #ask<T>(send: Send<T>): Promise<T> {
    await this.#link?.queue(() => this.#link!.connected())

    return this.#sent(send)
  }

  #sent<T>(send: Send<T>, token?: string): Promise<T> {
    return this.#link ? this.#link.send(() => send()) : send(this.#session && token)
  }

  /** Waits until calls can be made: with a valid access token, and on a socket that is signed in with it. */
  async #ready(): Promise<string | undefined> {
    for (;;) {
      await this.#link?.connected()

      if (this.#session && (!this.#result || this.#isExpired())) {
        await this.#renew()
      }

      const token: string | undefined = this.#result?.accessToken

      if (!this.#link || !token || this.#link.token === token) {
        return token
      }

      await (this.#signing ??= this.#confirm().finally(() => (this.#signing = undefined)))
    }
  }

  /** Asks the service about the access token at hand, which signs a socket in. */
  async #confirm(strategy = this.options.jwtStrategy, params?: Params): Promise<void> {
    const { accessToken } = this.#result!

    try {
      const answer = await this.#create({ strategy, accessToken }, params)

      if (this.#result?.accessToken === accessToken) {
        this.#result = { ...this.#result, ...answer }
      }
    } catch (error) {
      if (this.#session && refusalOf(error)) {
        await this.#renew()
        return
      }
      if (!this.#session && isRefused(error)) {
        await this.#forget()
        this.app.set('authentication', null)
      }

      throw error
    }
  }

  /** As the stock client does when its only token is refused. */
  async #forget(): Promise<void> {
    this.#result = undefined
    this.authenticated = false
    await this.removeAccessToken()
  }

  async #create(data: AuthenticationRequest, params?: Params): Promise<AuthenticationResult> {
    const { cookie, jwtStrategy } = this.options
    const link = this.#link

    if (cookie && link && data.strategy !== jwtStrategy) {
      return authenticateByCookie(link.uri, this.options, data)
    }

    const answer = await this.service.create(data, cookie ? withCookies(params) : params)

    if (link) {
      link.token = answer.accessToken
    }

    return answer
  }

  async #remove(accessToken: string): Promise<AuthenticationResult> {
    const { cookie } = this.options

    if (cookie && this.#link) {
      return authenticateByCookie(this.#link.uri, this.options, undefined, accessToken)
    }

    const params: Params & { accessToken: string } = { accessToken }

    return this.service.remove(null as never, cookie ? withCookies(params) : params)
  }

  #isExpired(): boolean {
    return this.#session !== undefined && this.#clock.now() >= this.#expiresAt
  }

  /** One after another. */
  #takeTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work)

    this.#turn = turn.catch(ignored)
    return turn
  }

  /** Has calls wait for an authentication; if it fails, all is as before. */
  #show(authentication: Promise<AuthenticationResult>): Promise<AuthenticationResult> {
    const { app } = this
    const shown = authentication.catch((error) => {
      if (app.get('authentication') === shown) {
        app.set('authentication', this.#result ? Promise.resolve(this.#result) : null)
      }

      throw error
    })

    this.#takesPart = true
    app.set('authentication', shown)
    return shown
  }
}

/** What the stock client takes for a refusal: 401 to 407. */
const isRefused = (error: unknown) => {
  const { code } = error as { code: number }

  return code > 400 && code < 408
}

/** ms */
function lifeOf({ authentication }: AuthenticationResult): number {
  const { iat, exp } = authentication?.payload ?? {}

  return exp ? (exp - iat) * 1000 : Infinity
}
