import {
  AuthenticationService as FeathersAuthenticationService,
  JWTStrategy,
  type AuthenticationBaseStrategy,
  type AuthenticationParams,
  type AuthenticationRequest,
  type AuthenticationResult,
  type JwtVerifyOptions
} from '@feathersjs/authentication'
import { NotAuthenticated, NotFound } from '@feathersjs/errors'
import type { Application, Id, Params, Query } from '@feathersjs/feathers'
import { Type } from '@feathersjs/typebox'
import { createHmac, randomUUID } from 'node:crypto'
import type { Collection, Document } from 'mongodb'
import { withConsequences } from './consequences.js'
import { FactorGate, givenFactor, recent, steppingUp, type Login, type StepUpParams } from './factor-gate.js'
import { checkUsers } from './entity/check-users.js'
import { Entity } from './entity/entity.js'
import {
  answerReadDocument,
  foundUser,
  readDocument,
  whenRegistered,
  type EntityParams,
  type EntityService
} from './entity/entity-service.js'
import { forgetEntity } from './entity/forget-entity.js'
import { hideSessions, withoutSessions } from './entity/hide-sessions.js'
import { valueAt } from './entity/paths.js'
import { ConfigurationError, Refused, StepUpNeeded } from './errors.js'
import { LiveSessions, type FoundUser } from './live/live-sessions.js'
import { Challenges } from './sessions/challenges.js'
import { copyOf } from './sessions/copy.js'
import { deviceSchema } from './sessions/device.js'
import { GateClosed, factorFields, factorKinds } from './sessions/gate.js'
import { PreviousTokens } from './sessions/previous-tokens.js'
import { authenticatedAt, newSessionId, type Device, type SessionRecord } from './sessions/session.js'
import { SessionStore } from './sessions/store.js'
import type { OwnerFilter, SessionOwner } from './sessions/users.js'
import { requireRegistered } from './settings/registered.js'
import { oauthProviders, readSettings, type Settings } from './settings/settings.js'
import {
  readSignOptions,
  readVerifyOptions,
  type Secret,
  type SignOptions
} from './settings/token-options.js'
import { AccessTokens, sessionEnd, signAccessToken } from './tokens/access-token.js'
import { requireMatch } from './tokens/claims.js'
import { algorithmOf, payloadOf } from './tokens/jwt.js'
import { mintRefreshToken, parseRefreshToken, type RefreshToken } from './tokens/refresh-token.js'
import { isStockToken, parseStockToken } from './tokens/stock-token.js'
import { checkedBy, invalidData } from './validation.js'

/** All other options are settings to merge into the configuration, as in Feathers. */
export interface AuthenticationServiceOptions {
  /** The clock: ms since 1970. */
  now?: () => number
  /** Called with a sentence when something fails after the start: a key file, the change stream. */
  warn?: (sentence: string) => void
  [setting: string]: unknown
}

type Configuration = FeathersAuthenticationService['configuration']

/** A session that the access token of a login is signed for, before it is opened. */
interface OpenableSession {
  id: string
  /** When its user last gave credentials, ms since 1970: `auth_time` (OpenID Connect Core §2), which a refresh keeps. */
  signedInAt: number
  /** How: the methods of RFC 8176, which a refresh keeps, too. */
  amr: string[]
  /** ms since 1970 */
  end: number
}

// What the session of `openSession` has for a strategy. No request can name it: none is registered
const serverStrategy = 'server'
const signedIn = Symbol('signed in')

interface ServerParams extends StepUpParams {
  /** The user to sign in from server code. */
  [signedIn]?: Id | Document
}

// Each strategy checks the rest of its request
const checkRequest = checkedBy(
  Type.Object({
    strategy: Type.Optional(Type.String()),
    device: Type.Optional(deviceSchema),
    stepUp: Type.Optional(Type.Boolean())
  })
)

/**
 * The authentication service of Feathers, with access tokens that belong to a session. Use it in place of
 * `AuthenticationService` from `@feathersjs/authentication`; the hook `attachRefreshToken` opens the session of a login
 * and attaches its refresh token.
 */
export class AuthenticationService extends FeathersAuthenticationService {
  readonly settings: Settings
  readonly sessions: SessionStore
  readonly live: LiveSessions
  readonly previousTokens: PreviousTokens
  readonly gate: FactorGate
  readonly now: () => number
  readonly warn: (sentence: string) => void
  private readonly entity: Entity
  private readonly accessTokens: AccessTokens
  private readonly derivedSecret: string
  private readonly steps = new WeakMap<Params, string>()
  private readonly issued = new WeakMap<object, Login>()
  private merged?: { from: unknown; configuration: Configuration }

  /**
   * @param configKey The key of its configuration in the app
   * @throws ConfigurationError
   */
  constructor(
    app: Application,
    configKey = 'authentication',
    {
      now = Date.now,
      warn = (sentence) => process.emitWarning(sentence),
      ...configuration
    }: AuthenticationServiceOptions = {}
  ) {
    super(app, configKey, configuration)

    const isProduction = process.env.NODE_ENV === 'production'

    this.now = now
    this.warn = warn
    this.settings = readSettings(app.get(configKey), configKey, isProduction, { now, warn })
    this.accessTokens = new AccessTokens(this.settings.accessTokens)
    this.derivedSecret = createHmac('sha256', this.settings.refreshTokens.keyring.newest.signKey!)
      .update('authentication.secret')
      .digest('base64url')

    const { settings } = this
    // Without a key for factors, an app may have such fields of its own
    const hidden = settings.factors ? factorFields : []

    this.entity = new Entity(this, settings.sessionsField, hidden)

    const { users, collection } = this.entity
    const idField = () => this.entity.idField

    this.sessions = new SessionStore({
      users,
      settings,
      now,
      recall: async (userId, id) => {
        const { user, session } = await this.live.find(userId, id)

        return { user: user(), session: copyOf(session) }
      }
    })
    this.live = new LiveSessions({
      store: this.sessions,
      users,
      settings,
      collection,
      isByDocumentId: () => idField() === '_id',
      now,
      warn
    })
    this.previousTokens = new PreviousTokens({
      collection,
      sessions: this.sessions,
      leeway: settings.leeway,
      now
    })

    this.gate = new FactorGate({
      settings,
      live: this.live,
      challenges: new Challenges(collection, now),
      storedUser: (userId) => this.storedUser(userId),
      passwordsOf: (user) => this.entity.passwordsOf(user),
      parseRefreshToken: (refreshToken) => this.parseRefreshToken(refreshToken),
      now
    })

    const forget = forgetEntity((userId) => this.live.cache.forget(userId), idField)

    app.mixins.push((service) => {
      if (Object.prototype.isPrototypeOf.call(this, service)) {
        service.create = withConsequences(service.create)
      }
    })

    // Not at the setup, which an app may do without
    whenRegistered(app, this.configuration.service!, (service) => {
      answerReadDocument(service, idField)
      withoutSessions(service, settings.sessionsField, hidden)
      service.hooks({
        around: {
          all: [hideSessions(settings.sessionsField, hidden)],
          get: [this.entity.keepVerified]
        },
        after: {
          update: [forget],
          patch: [forget],
          remove: [forget]
        }
      })
    })
  }

  /** A copy, as in Feathers; merged with its defaults once, not at each access. */
  override get configuration(): Configuration {
    const from: unknown = this.app.get(this.configKey)

    if (this.merged?.from !== from) {
      this.merged = { from, configuration: this.truthful(super.configuration) }
    }

    return { ...this.merged!.configuration }
  }

  /**
   * Adds how access tokens are signed. Feathers insists on a `secret`, and its OAuth signs cookies with it: with a key
   * file, one is derived from a key.
   */
  private truthful(configuration: Configuration): Configuration {
    const { accessTokens, accessLife } = this.settings
    const { typ, issuer, audience, algorithm } = accessTokens
    const expiresIn = accessLife / 1000

    return {
      ...configuration,
      jwtOptions: { header: { typ }, issuer, audience, algorithm, expiresIn },
      ...(configuration.keys !== undefined && { secret: this.derivedSecret })
    }
  }

  /** @throws ConfigurationError for a service or strategy that is not registered */
  override async setup(): Promise<void> {
    this.requireRegistered()

    await super.setup()
    this.live.start()

    if (this.settings.factors) {
      this.gate.challenges.prepare().catch(ignored)
    }

    this.checkUsers(this.warn).catch(ignored)
  }

  async teardown(): Promise<void> {
    await this.live.stop()
  }

  /** Checks that all named services and strategies are registered. @throws ConfigurationError */
  requireRegistered(): void {
    requireRegistered(this)
    this.entity.requireCollection()
  }

  /** The collection of the users. */
  users(): Promise<Collection> {
    return this.entity.collection()
  }

  /** Calls `warn` with a sentence for each problem of the user documents. */
  checkUsers(warn: (sentence: string) => void): Promise<void> {
    return checkUsers(this.entity, this.configKey, warn)
  }

  /**
   * Signs in or, with `stepUp: true`, has the user who is signed in give credentials again, for the same session.
   *
   * @throws BadRequest for a malformed request
   * @throws NotAuthenticated, as `Refused` with a reason when a token or an account was refused
   */
  override async create(
    data: AuthenticationRequest,
    params: ServerParams = {}
  ): Promise<AuthenticationResult> {
    const checked = withDevice(data)

    checkRequest(checked)

    const { stepUp = false, ...request } = checked
    const authResult = stepUp ? await this.stepUp(request, params) : await this.signIn(request, params)

    if (authResult.accessToken) {
      return authResult
    }

    const login = this.gate.loginOf(authResult, this.getStrategy(request.strategy!) as { amr?: string[] })
    const session = params.secret === undefined ? await this.sessionOf(authResult, login) : undefined
    const [payload, options] = await Promise.all([
      this.getPayload(authResult, params),
      this.getTokenOptions(authResult, params)
    ])
    const accessToken = await this.createAccessToken(
      {
        ...payload,
        ...(session && { sid: session.id, auth_time: Math.floor(session.signedInAt / 1000) }),
        ...(session && session.amr.length > 0 && { amr: session.amr })
      },
      { ...options, [sessionEnd]: session?.end ?? Infinity },
      params.secret
    )

    return this.signed(authResult, accessToken, session && login)
  }

  /**
   * Verifies the credentials of the user who is signed in, and notes it in the session.
   *
   * @throws Refused `invalid` for nobody, or for another user; StepUpNeeded for a user who has a factor, and gave none
   */
  private async stepUp(request: AuthenticationRequest, params: ServerParams): Promise<AuthenticationResult> {
    const strategy = this.getStrategy(request.strategy!)

    if (strategy instanceof JWTStrategy || (strategy && 'renews' in strategy)) {
      throw invalidData([{ field: 'strategy', message: 'is none that a step-up can be made with' }])
    }

    const current = await this.currentSession(params)

    this.steps.set(params, current.userId)

    const authResult = await this.signIn(request, { ...params, [steppingUp]: current }).catch(
      async (error: unknown) => {
        // Like the right password of another account: neither tells anything
        throw (error as { code?: unknown }).code === 401 && (await this.namesOther(request, current.userId))
          ? new Refused('invalid')
          : error
      }
    )

    if (this.userIdOf(authResult) !== current.userId) {
      throw new Refused('invalid')
    }

    const session = await this.sessions
      .stepUp(current.userId, current.sessionId, {
        ...this.gate.loginOf(authResult, this.getStrategy(request.strategy!) as { amr?: string[] }),
        unchanged: this.unchangedSince(authResult[this.configuration.entity!])
      })
      .catch((error: unknown) => {
        throw error instanceof GateClosed ? new StepUpNeeded(recent, factorKinds(error.user)) : error
      })

    return { ...authResult, session }
  }

  /** Whether a request with a password names another account than that of a user. */
  private async namesOther(request: AuthenticationRequest, userId: string): Promise<boolean> {
    const strategy = this.getStrategy(request.strategy!)

    if (strategy === undefined || !('comparePassword' in strategy)) {
      return false
    }

    const { usernameField, entityUsernameField } = (strategy as unknown as AuthenticationBaseStrategy)
      .configuration
    const user = (await this.live.findUser(userId)).user()

    const [name, own] = [valueAt(request, usernameField), valueAt(user, entityUsernameField)].map(String)

    return name!.toLowerCase() !== own!.toLowerCase()
  }

  /** Whose session a call of `create` was to raise: by its params. Undefined if its access token was refused. */
  steppingUp(params: Params): string | undefined {
    return this.steps.get(params)
  }

  /** The session of the access token that a call brings. @throws Refused */
  async currentSession({ authentication, ...params }: ServerParams) {
    const strategy = authentication && this.getStrategy(authentication.strategy!)
    const result =
      strategy instanceof JWTStrategy
        ? await this.authenticate(authentication!, params, strategy.name!)
        : undefined

    // A token of stock Feathers belongs to no session
    if (!result?.session) {
      throw new Refused('invalid')
    }

    return { userId: this.userIdOf(result)!, sessionId: String(result.session.id) }
  }

  private async signIn(
    request: AuthenticationRequest,
    { [signedIn]: user, ...params }: ServerParams
  ): Promise<AuthenticationResult> {
    const authStrategies = params.authStrategies ?? this.configuration.authStrategies

    return user === undefined
      ? this.authenticate(request, params, ...authStrategies)
      : this.signInByServer(user, { ...params, authenticated: true })
  }

  private async signInByServer(user: Id | Document, params: Params): Promise<AuthenticationResult> {
    const userId = this.entity.idOf(user)!
    const found = await this.live.findUser(userId).catch((error: unknown) => {
      throw error instanceof Refused && error.data.reason === 'revoked'
        ? new NotFound(`There is no user with the id ${userId}`)
        : error
    })
    const entity = await this.entityOf(userId, found, params, (...asked) => this.getEntity(...asked))

    return { authentication: { strategy: serverStrategy }, [this.configuration.entity!]: entity }
  }

  /** The session that a strategy found, or else the one to open; undefined for an entity that can have none. */
  private async sessionOf(
    authResult: AuthenticationResult,
    { first, amr }: Login
  ): Promise<OpenableSession | undefined> {
    const session: SessionRecord | undefined = authResult.session
    const entity: Document | undefined = authResult[this.configuration.entity!]

    if (session) {
      return {
        id: session.id,
        signedInAt: authenticatedAt(session),
        amr: session.amr ?? [],
        end: session.expiresAt.getTime()
      }
    }

    const now = this.now()
    const { idleLife, absoluteLife } = this.settings

    return entity && (await this.entity.isStored(entity))
      ? {
          id: first?.sid ?? newSessionId(now),
          signedInAt: now,
          amr,
          end: now + Math.min(idleLife, absoluteLife)
        }
      : undefined
  }

  private signed(
    { authentication, ...authResult }: AuthenticationResult,
    accessToken: string,
    login: Login | undefined
  ): AuthenticationResult {
    const payload = payloadOf(accessToken)
    const { amr: _amr, ...shown } = { ...authentication }

    if (login) {
      this.issued.set(payload, login)
    }

    return {
      accessToken,
      ...authResult,
      [givenFactor]: undefined,
      authentication: { ...shown, payload }
    }
  }

  /** The login whose access token `create` has just signed for a session, which may not be open yet. */
  issuedLogin({ authentication }: AuthenticationResult): Login | undefined {
    return this.issued.get(authentication?.payload ?? this)
  }

  /** Matches a stored user. @param userId As in tokens */
  matching(userId: string): OwnerFilter {
    return this.entity.users.is(userId)
  }

  /**
   * A user as it is stored, without the sessions.
   *
   * @param userId As in tokens
   * @throws Refused `revoked` when there is none, `disabled`; Unavailable without a database
   */
  async storedUser(userId: string): Promise<SessionOwner> {
    const user = await this.entity.find(this.matching(userId))

    if (!user) {
      throw new Refused('revoked')
    }

    return user
  }

  /** A result whose access token is of this session instead: the login reuses it. */
  async ofSession(
    { accessToken: _accessToken, ...result }: AuthenticationResult,
    { id, expiresAt }: SessionRecord
  ): Promise<AuthenticationResult> {
    const { iat, exp, nbf, ...payload } = result.authentication.payload
    const accessToken = signAccessToken(
      this.settings.accessTokens,
      { ...payload, sid: id },
      {
        issuer: payload.iss,
        audience: payload.aud,
        jwtid: payload.jti,
        expiresIn: exp - iat,
        ...(nbf !== undefined && { notBefore: nbf - iat }),
        [sessionEnd]: expiresAt.getTime()
      },
      this.now()
    )

    return this.signed(result, accessToken, this.issuedLogin(result))
  }

  /** @throws NotAuthenticated, as `Refused` with a reason when a token was refused */
  override async remove(id: string | null, params: AuthenticationParams = {}): Promise<AuthenticationResult> {
    if (!params.authentication) {
      throw new NotAuthenticated('Not authenticated')
    }
    if (id !== null && id !== params.authentication.accessToken) {
      throw new Refused('invalid')
    }

    return super.remove(id, params)
  }

  /**
   * Signs an access token (RFC 9068) of a session. The options of Feathers are obeyed, but a token never outlives its
   * session; a token without one would be refused.
   *
   * @throws Error for options that can't be obeyed, and for a payload without `sid`
   */
  override async createAccessToken(
    payload: Document,
    options: SignOptions = {},
    secretOverride?: Secret
  ): Promise<string> {
    if (secretOverride) {
      return super.createAccessToken(payload, options, secretOverride)
    }

    const tokenOptions = readSignOptions(options, this.settings)

    if (payload.sid === undefined && options[sessionEnd] === undefined) {
      throw new Error(
        'createAccessToken signs for a session, and this payload has no `sid`: call openSession(user) to sign a user ' +
          'in, or pass a secret as the third argument for a token that this service does not have to accept'
      )
    }

    return signAccessToken(this.settings.accessTokens, payload, tokenOptions, this.now())
  }

  /**
   * @param options As in Feathers: an issuer and an audience in place of the configured ones, and what else to require.
   *   Options of `jsonwebtoken` that accept more, such as `ignoreExpiration`, have no effect
   * @returns The claims. Only an accepted token of stock Feathers lacks `sid`.
   * @throws Refused `invalid` or `expired`
   */
  override async verifyAccessToken(
    accessToken: string,
    options: JwtVerifyOptions = {},
    secretOverride?: Secret
  ): Promise<Document> {
    if (secretOverride) {
      return super.verifyAccessToken(accessToken, options, secretOverride)
    }

    const { stockTokens } = this.settings
    const { expected, required, algorithms } = readVerifyOptions(options)
    const now = this.now()
    const claims =
      stockTokens && isStockToken(accessToken)
        ? parseStockToken(stockTokens, accessToken, now, expected)
        : this.accessTokens.parse(accessToken, now, expected)

    requireMatch(claims, required, now)

    if (algorithms && !algorithms.includes(algorithmOf(accessToken))) {
      throw new Refused('invalid')
    }

    return claims
  }

  /** @throws Refused `invalid` or `expired` */
  parseRefreshToken(refreshToken: string): RefreshToken {
    return parseRefreshToken(this.settings.refreshTokens, refreshToken, this.now())
  }

  /** The same refresh token, limited to `life` s: for a way on which it may be left behind. */
  shortened(refreshToken: string, life: number): string {
    const { kid, ...claims } = this.parseRefreshToken(refreshToken)
    const exp = Math.min(claims.exp, Math.floor(this.now() / 1000) + life)

    return mintRefreshToken(this.settings.refreshTokens, { ...claims, exp }, kid)
  }

  /** The refresh token to answer: a fresh successor of the one that was used last, or the one that the session keeps. */
  mintRefreshToken(userId: string, { id, used, token, expiresAt }: SessionRecord): string {
    const { jti, iat, kid } = token ?? { jti: randomUUID(), iat: Math.floor(this.now() / 1000) }
    const exp = Math.floor(expiresAt.getTime() / 1000)

    return mintRefreshToken(
      this.settings.refreshTokens,
      { sub: userId, sid: id, iat, exp, jti, prev: used },
      kid
    )
  }

  /**
   * Finds a stored entity, without its sessions: for a strategy to verify, and to answer by `presentEntity`.
   *
   * @throws Refused `disabled`; Unavailable without a database
   */
  findEntity(filter: Document): Promise<SessionOwner | null> {
    return this.entity.find(filter)
  }

  /**
   * The entity that a strategy answers, made from the stored document: as the entity service gives it, without sessions
   * and password.
   *
   * @throws Refused `revoked` when the service does not give it
   */
  presentEntity(document: SessionOwner, params: Params): Promise<Document> {
    return this.entity.present(document, params)
  }

  /**
   * The entity of an access or refresh token, as the entity service gives it, without sessions and password.
   *
   * @param query The conditions of `getEntityQuery`
   * @param service Another entity service than that of the settings
   * @throws Refused `revoked` when the service does not give it
   */
  getEntity(
    id: Id,
    params: Params,
    {
      query = {},
      service = this.entity.service
    }: { query?: Query; service?: Pick<EntityService, 'get'> } = {}
  ): Promise<Document> {
    return this.entity.get(id, params, { query, service, isPure: this.settings.entityCache })
  }

  /**
   * The entity of a user that was just found.
   *
   * @param ask Asks the entity service, by its own id and with these params, in which the user is
   * @param isPlain Whether it does nothing else, so that what is kept in memory can be answered at once
   * @throws Refused `revoked` when the service does not give it
   */
  async entityOf(
    id: Id,
    { user, cached }: FoundUser,
    params: Params,
    ask: (id: Id, params: Params) => Promise<Document>,
    isPlain = false
  ): Promise<Document> {
    // The view for clients is made again for each call
    if (isPlain && this.settings.entityCache && cached?.entity && !params.provider) {
      return this.entity.recall(id, copyOf(cached.entity))
    }

    const ownId = cached?.ownId ?? this.entity.ownId(id, user)

    if (cached) {
      cached.ownId = ownId
    }

    const asked: EntityParams = {
      ...params,
      [readDocument]: user,
      [foundUser]: { id: ownId, read: user, kept: cached }
    }

    // Whatever an override gives, it is the user of this session
    return this.entity.recall(id, await this.entity.given(id, ask(ownId, asked)))
  }

  /**
   * Signs a user in from server code: after a sign-up, from an invitation, for tests. All hooks of the service run, and
   * it answers what a login does, with a refresh token.
   *
   * @param user The stored user, or its id
   * @param params Those of the call that it is part of, if any, and `device`: the device's `id` and `name`
   * @throws NotFound for an unknown user; Refused `disabled`, or `revoked` when the entity service does not give it
   */
  async openSession(
    user: Id | Document,
    {
      device,
      authentication: _authentication,
      ...params
    }: AuthenticationParams & { device?: Device | string } = {}
  ): Promise<AuthenticationResult> {
    if (this.entity.idOf(user ?? {}) === undefined) {
      throw new Error('openSession signs in a stored user: pass the user, or its id')
    }

    const services = Object.values<unknown>(this.app.services) as AuthenticationService[]
    const registered = services.find(({ configKey }) => configKey === this.configKey)!

    return registered.create(
      { strategy: serverStrategy, ...(device !== undefined && { device }) },
      { ...params, query: {}, [signedIn]: user }
    )
  }

  /** Whether the page that a strategy's logins return to gets their refresh token in a cookie. */
  handsOverInCookie(strategy: string): boolean {
    return this.settings.cookie !== undefined && oauthProviders(this.configuration.oauth).includes(strategy)
  }

  /** Whether the logins of a strategy get a refresh token. */
  getsRefreshToken(strategy: string): boolean {
    return strategy === serverStrategy || this.settings.strategies.includes(strategy)
  }

  /** The id of a stored user, as in tokens. */
  idOf(user: SessionOwner): string {
    return String(user[this.entity.idField])
  }

  /** The id of the user who signed in; undefined when the strategy gave no entity. */
  userIdOf(authResult: AuthenticationResult): string | undefined {
    const entity = authResult[this.configuration.entity!]

    return entity && this.entity.idOf(entity)
  }

  /** An entity without sessions and password, if it is a plain object. */
  withoutSecrets<T>(entity: T): T {
    return this.entity.withoutSecrets(entity)
  }

  /** Whether a stored user can sign in with a password. */
  hasPassword(user: SessionOwner): boolean {
    return this.entity.passwordsOf(user).some((password) => typeof password === 'string')
  }

  /** Matches the entity while its password is the one that was verified. */
  unchangedSince(entity: Document): OwnerFilter {
    return this.entity.unchangedSince(entity)
  }
}

/** At the start the database may not be reachable yet. */
const ignored = () => undefined

/** An app may already send a `device` that is text: it becomes the name of the device. */
const withDevice = (data: AuthenticationRequest): AuthenticationRequest =>
  typeof data?.device === 'string' ? { ...data, device: { name: data.device } } : data

/** @throws ConfigurationError when `service` is another authentication service; `needs` begins its sentence */
export function requireMoult(
  service: unknown,
  needs: string,
  mend = 'register it there'
): asserts service is AuthenticationService {
  if (!(service instanceof AuthenticationService)) {
    throw new ConfigurationError(`${needs} the AuthenticationService of moult: ${mend}`)
  }
}
