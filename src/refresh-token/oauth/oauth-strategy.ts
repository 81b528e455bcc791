import type {
  AuthenticationBase,
  AuthenticationParams,
  AuthenticationResult
} from '@feathersjs/authentication'
// Without the rest of the package, which `oauth` loads
import {
  OAuthStrategy as FeathersOAuthStrategy,
  type OAuthProfile
} from '@feathersjs/authentication-oauth/lib/strategy.js'
import { NotAuthenticated } from '@feathersjs/errors'
import type { Params } from '@feathersjs/feathers'
import { requireMoult, type AuthenticationService } from '../authentication-service.js'
import { ConfigurationError, FactorNeeded } from '../errors.js'

const here = 'http://here.invalid' // resolves addresses without an origin
const redirectLife = 120 // s: how long the refresh token in a redirect is valid; the page uses it within seconds

/**
 * The OAuth strategy of Feathers, whose redirect hands the session over to the page: as `access_token` and
 * `refresh_token` in the fragment of the URL, or, with cookies, as nothing but the cookie.
 */
export class OAuthStrategy extends FeathersOAuthStrategy {
  declare authentication: AuthenticationService
  /** How its logins are authenticated: by another service (OpenID Connect's enhanced profile has `fed`). */
  readonly amr = ['fed']

  override setAuthentication(service: AuthenticationBase): void {
    requireMoult(service, 'The OAuth strategy needs')
    super.setAuthentication(service)
  }

  /**
   * Feathers trusts the profile in a request. That is right for a provider's callback, but would let a client make one up.
   *
   * @throws ConfigurationError
   */
  verifyConfiguration(): void {
    const { configuration, configKey } = this.authentication
    const believes = this.getProfile === FeathersOAuthStrategy.prototype.getProfile

    if (believes && configuration.authStrategies.includes(this.name!)) {
      throw new ConfigurationError(
        `${configKey}.authStrategies names "${this.name}", so anybody could sign in with a made-up profile: remove it, ` +
          `OAuth needs it in ${configKey}.refresh-token.strategies only`
      )
    }
  }

  /** @throws NotAuthenticated when the provider gives no id, as the query would match anybody */
  override async getEntityQuery(profile: OAuthProfile, _params: Params) {
    return { [`${this.name}Id`]: idOf(profile) }
  }

  override async getEntityData(
    profile: OAuthProfile,
    _existing: unknown,
    _params: Params
  ): Promise<Record<string, unknown>> {
    return { [`${this.name}Id`]: idOf(profile) }
  }

  /**
   * The user who is signed in, and links an account: that takes a recent sign-in, since it adds a way in.
   *
   * @throws StepUpNeeded
   */
  override async getCurrentEntity(params: Params): Promise<unknown> {
    const { accessToken } = (params as AuthenticationParams).authentication ?? {}

    if (typeof accessToken === 'string') {
      await this.authentication.gate.requireRecent(await this.authentication.verifyAccessToken(accessToken))
    }

    return super.getCurrentEntity(params)
  }

  /** The setting `redirect` takes precedence over the origins of the app. */
  override async getAllowedOrigin(params?: Params): Promise<string> {
    const { redirect, origins } = this.authentication.configuration.oauth!

    return redirect && !origins ? redirect : super.getAllowedOrigin(params)
  }

  /**
   * Feathers checks a requested path only if `redirect` is absolute, but behind `/` it may lead to another site, too.
   *
   * @throws NotAuthenticated when it does
   */
  override async getRedirect(
    data: AuthenticationResult | Error,
    params?: AuthenticationParams
  ): Promise<string | null> {
    const location = await super.getRedirect(data, params)

    if (location && originOf(location) !== originOf(await this.getAllowedOrigin(params))) {
      throw new NotAuthenticated('Invalid redirect path.')
    }

    if (location && data instanceof FactorNeeded) {
      return withFactor(location, data)
    }

    return location && 'accessToken' in data ? this.#withTokens(location, data) : location
  }

  #withTokens(location: string, { accessToken, ...answer }: AuthenticationResult): string {
    const { settings } = this.authentication
    const refreshToken: string | undefined = answer[settings.field]
    // RFC 9700 §4.3.2: never in the query, even if the page's address ends in "?"
    const page = location.slice(0, location.lastIndexOf('access_token=')).replace(/[?#]$/, '')

    if (settings.cookie && refreshToken) {
      return page
    }

    const tokens = new URLSearchParams({
      access_token: accessToken,
      ...(refreshToken && { refresh_token: this.authentication.shortened(refreshToken, redirectLife) })
    })

    return `${page}${page.includes('#') ? '?' : '#'}${tokens.toString()}`
  }
}

/** To a page that asks for the factor, in place of Feathers' `error`. */
function withFactor(location: string, { data }: FactorNeeded): string {
  const page = location.slice(0, location.lastIndexOf('error=')).replace(/[?#]$/, '')
  const { challenge, factors } = data
  const asked = new URLSearchParams(
    // Without a key for factors there is no challenge
    Object.entries({ factor: challenge, factors: factors.join() }).filter(isGiven)
  )

  return `${page}${page.includes('#') ? '?' : '#'}${asked.toString()}`
}

const isGiven = (pair: [string, string | undefined]): pair is [string, string] => pair[1] !== undefined

const originOf = (address: string): string | undefined =>
  URL.canParse(address, here) ? new URL(address, here).origin : undefined

/** The provider's id of the user. @throws NotAuthenticated when there is none */
export function idOf({ sub, id }: OAuthProfile): string | number {
  const value: unknown = sub || id

  if ((typeof value !== 'string' && typeof value !== 'number') || value === '') {
    throw new NotAuthenticated('The provider did not say who signed in')
  }

  return value
}
