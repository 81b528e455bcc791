import type {
  AuthenticationParams,
  AuthenticationRequest,
  AuthenticationResult,
  JwtVerifyOptions
} from '@feathersjs/authentication'
import { NotAuthenticated } from '@feathersjs/errors'
import type { Application } from '@feathersjs/feathers'
import { Type } from '@feathersjs/typebox'
import { createHmac, randomUUID } from 'node:crypto'
import type { Document } from 'mongodb'
import { AccessTokens } from './access-tokens.js'
import { deviceSchema } from './device.js'
import { EntityAuthentication } from './entity-authentication.js'
import { ConfigurationError, Refused } from './errors.js'
import { readSettings, type Settings } from './options.js'
import { newSessionId, type SessionRecord } from './session.js'
import { LiveUsers } from './live-users.js'
import { PreviousTokens } from './previous-tokens.js'
import type { SessionStore } from './session-store.js'
import { isStockToken, parseStockToken } from './stock-token.js'
import { mint, parseRefreshToken, type RefreshToken } from './token.js'
import { checkedBy } from './validation.js'
import { answerKnownEntity, forgetEntity } from './hooks/entity.js'
import { hideSessions } from './hooks/hide-sessions.js'

export interface AuthenticationServiceOptions {
  /** The clock: ms since 1970. */
  now?: () => number
  /** Hears, in a sentence, of what goes wrong later than at the start: with a key file, with the change stream. */
  warn?: (sentence: string) => void
}

// By way of Feathers: the package has these types, of `jsonwebtoken`, where the app may not
type CreateArguments = Parameters<EntityAuthentication['createAccessToken']>
type SignOptions = NonNullable<CreateArguments[1]>
type Secret = NonNullable<CreateArguments[2]>

// Each strategy checks the rest of its own request
const checkRequest = checkedBy(
  Type.Object({ strategy: Type.Optional(Type.String()), device: Type.Optional(deviceSchema) })
)

/**
 * The authentication service of Feathers, with access tokens that belong to a session. Takes the place of
 * `AuthenticationService` from `@feathersjs/authentication`; the session of a login is opened, and its refresh token
 * attached, by the hook `attachRefreshToken`.
 */
export class AuthenticationService extends EntityAuthentication {
  readonly settings: Settings
  readonly sessions: SessionStore
  readonly live: LiveUsers
  readonly previousTokens: PreviousTokens
  readonly now: () => number
  private readonly secretInFile: string
  private readonly accessTokens: AccessTokens

  /**
   * @param configKey Where the app keeps the configuration
   * @throws ConfigurationError
   */
  constructor(
    app: Application,
    configKey = 'authentication',
    { now = Date.now, warn = (sentence) => process.emitWarning(sentence) }: AuthenticationServiceOptions = {}
  ) {
    super(app, configKey)

    this.now = now
    this.settings = readSettings(app.get(configKey), configKey, process.env.NODE_ENV === 'production', {
      now,
      warn
    })
    this.accessTokens = new AccessTokens(this.settings.accessTokens)
    this.secretInFile = createHmac('sha256', this.settings.refreshTokens.keyring.newest.signKey!)
      .update('authentication.secret')
      .digest('base64url')
    this.live = new LiveUsers({
      settings: this.settings,
      users: this.users,
      collection: this.collection,
      isByDocumentId: this.idField === '_id',
      now,
      warn
    })
    this.sessions = this.live.sessions
    this.previousTokens = new PreviousTokens({
      collection: this.collection,
      sessions: this.sessions,
      leeway: this.settings.leeway,
      now
    })
  }

  /** Feathers insists on a `secret`, and its OAuth signs cookies with it: with a key file, one derived from a key. */
  override get configuration(): EntityAuthentication['configuration'] {
    const configuration = super.configuration

    return configuration.keys === undefined ? configuration : { ...configuration, secret: this.secretInFile }
  }

  /** @throws ConfigurationError for a name that nothing is registered under */
  override async setup(): Promise<void> {
    this.requireRegistered()

    await super.setup()
    this.live.start()
    this.app.service(this.configuration.service!).hooks({
      around: { all: [hideSessions()] },
      before: { get: [answerKnownEntity()] },
      after: { update: [forgetEntity(this)], patch: [forgetEntity(this)], remove: [forgetEntity(this)] }
    })
  }

  async teardown(): Promise<void> {
    await this.live.stop()
  }

  /** Checks what only a complete app can tell. @throws ConfigurationError for a name that nothing is registered under */
  requireRegistered(): void {
    const { service, authStrategies, parseStrategies = [] } = this.configuration

    this.requireService(service!)
    this.requireStrategies('authStrategies', authStrategies)
    this.requireStrategies('parseStrategies', parseStrategies)
  }

  private requireService(path: string): void {
    try {
      this.app.service(path)
    } catch {
      throw new ConfigurationError(
        `${this.configKey}.service is "${path}", but there is no such service: ` +
          'write the path of the entity service, such as "users"'
      )
    }
  }

  private requireStrategies(key: string, names: string[]): void {
    const unknown = names.find((name) => !this.strategies[name])

    if (unknown !== undefined) {
      throw new ConfigurationError(
        `${this.configKey}.${key} names "${unknown}", but no strategy is registered under that name: ` +
          `write names out of ${JSON.stringify(this.strategyNames)}, or register it`
      )
    }
  }

  /**
   * @throws BadRequest for a malformed request
   * @throws NotAuthenticated, as `Refused` with a reason where a token or an account was refused
   */
  override async create(
    data: AuthenticationRequest,
    params: AuthenticationParams = {}
  ): Promise<AuthenticationResult> {
    checkRequest(data)

    return super.create(data, params)
  }

  /** @throws NotAuthenticated, as `Refused` with a reason where a token was refused */
  override async remove(id: string | null, params: AuthenticationParams = {}): Promise<AuthenticationResult> {
    if (!params.authentication) {
      throw new NotAuthenticated('Not authenticated')
    }
    if (id !== null && id !== params.authentication.accessToken) {
      throw new Refused('invalid')
    }

    return super.remove(id, params)
  }

  /** The session is the strategy's when it found one, else it is yet to be opened under the id that is chosen here. */
  override async getPayload(authResult: AuthenticationResult, params: AuthenticationParams) {
    const payload = await super.getPayload(authResult, params)

    return { ...payload, sid: authResult.session?.id ?? newSessionId(this.now()) }
  }

  override async getTokenOptions(authResult: AuthenticationResult, params: AuthenticationParams) {
    const options = await super.getTokenOptions(authResult, params)
    const { idleLife, absoluteLife } = this.settings
    const session: SessionRecord | undefined = authResult.session
    const expiry = session?.expiresAt.getTime() ?? this.now() + Math.min(idleLife, absoluteLife)

    return { ...options, expiresIn: this.accessLife(expiry) }
  }

  /** How long an access token signed now lives, in s: never longer than its session, which expires at `expiry` (ms). */
  accessLife(expiry: number): number {
    const toSeconds = (milliseconds: number) => Math.floor(milliseconds / 1000)

    return Math.min(toSeconds(this.settings.accessLife), toSeconds(expiry) - toSeconds(this.now()))
  }

  /**
   * Signs an access token (RFC 9068).
   *
   * @param options `subject`, `expiresIn` (s) and `jwtid` count; how tokens are signed is configured
   */
  override async createAccessToken(
    payload: object,
    options: SignOptions = {},
    secretOverride?: Secret
  ): Promise<string> {
    if (secretOverride) {
      return super.createAccessToken(payload, options, secretOverride)
    }

    const { issuer, audience } = this.settings.accessTokens
    const iat = Math.floor(this.now() / 1000)
    const life = typeof options.expiresIn === 'number' ? options.expiresIn : this.accessLife(Infinity)

    return mint(this.settings.accessTokens, {
      ...payload,
      sub: options.subject,
      iat,
      exp: iat + life,
      jti: options.jwtid ?? randomUUID(),
      iss: issuer,
      aud: audience
    })
  }

  /**
   * @returns The claims; `sid` is missing only where stock tokens are accepted and this is one
   * @throws Refused `invalid` or `expired`
   */
  override async verifyAccessToken(
    accessToken: string,
    options?: JwtVerifyOptions,
    secretOverride?: Secret
  ): Promise<Document> {
    if (secretOverride) {
      return super.verifyAccessToken(accessToken, options, secretOverride)
    }

    const { stockTokens } = this.settings

    return stockTokens && isStockToken(accessToken)
      ? parseStockToken(stockTokens, accessToken, this.now())
      : this.accessTokens.parse(accessToken, this.now())
  }

  /** @throws Refused `invalid` or `expired` */
  parseRefreshToken(refreshToken: string): RefreshToken {
    return parseRefreshToken(this.settings.refreshTokens, refreshToken, this.now())
  }

  /** The same refresh token, good for `life` s at the most: where it may be left lying about on its way. */
  shortened(refreshToken: string, life: number): string {
    const { kid, ...claims } = this.parseRefreshToken(refreshToken)
    const exp = Math.min(claims.exp, Math.floor(this.now() / 1000) + life)

    return mint(this.settings.refreshTokens, { ...claims, exp }, kid)
  }

  /** The refresh token to answer with: a fresh successor of the one used last, or the one that the session keeps. */
  mintRefreshToken(userId: string, { id, used, token, expiresAt }: SessionRecord): string {
    const { issuer, audience } = this.settings.refreshTokens
    const { jti, iat, kid } = token ?? { jti: randomUUID(), iat: Math.floor(this.now() / 1000) }

    return mint(
      this.settings.refreshTokens,
      {
        sub: userId,
        sid: id,
        iat,
        exp: Math.floor(expiresAt.getTime() / 1000),
        jti,
        iss: issuer,
        aud: audience,
        prev: used
      },
      kid
    )
  }
}
