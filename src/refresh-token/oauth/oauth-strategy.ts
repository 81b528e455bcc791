import type {
  AuthenticationBase,
  AuthenticationParams,
  AuthenticationResult
} from '@feathersjs/authentication'
import { OAuthStrategy as FeathersOAuthStrategy, type OAuthProfile } from '@feathersjs/authentication-oauth'
import { NotAuthenticated } from '@feathersjs/errors'
import type { Params } from '@feathersjs/feathers'
import { AuthenticationService } from '../authentication-service.js'
import { ConfigurationError } from '../errors.js'

const here = 'http://here.invalid' // where an address without an origin leads to
const onTheWay = 120 // s: how long the refresh token in a redirect is good; the page takes it up within a few

/**
 * The OAuth strategy of Feathers, whose redirect hands over the session. The page gets `access_token` and
 * `refresh_token` in the fragment of its URL; nothing where refresh tokens travel in a cookie, since it can ask with that.
 */
export class OAuthStrategy extends FeathersOAuthStrategy {
  declare authentication: AuthenticationService

  override setAuthentication(service: AuthenticationBase): void {
    if (!(service instanceof AuthenticationService)) {
      throw new ConfigurationError(
        'The OAuth strategy needs the AuthenticationService of moult: register it there'
      )
    }

    super.setAuthentication(service)
  }

  /**
   * Feathers believes the profile in a request: of the provider's that is right, of a client's it would be its word.
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

  /** @throws NotAuthenticated where the provider says no id: such a query would find anybody */
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

  /** The setting `redirect` counts for more than the origins of the app. */
  override async getAllowedOrigin(params?: Params): Promise<string> {
    const { redirect, origins } = this.authentication.configuration.oauth!

    return redirect && !origins ? redirect : super.getAllowedOrigin(params)
  }

  /**
   * Feathers looks at a path that is asked for where `redirect` is absolute. Behind `/` it may lead elsewhere, too.
   *
   * @throws NotAuthenticated where it would
   */
  override async getRedirect(
    data: AuthenticationResult | Error,
    params?: AuthenticationParams
  ): Promise<string | null> {
    const location = await super.getRedirect(data, params)

    if (location && originOf(location) !== originOf(await this.getAllowedOrigin(params))) {
      throw new NotAuthenticated('Invalid redirect path.')
    }

    return location && 'accessToken' in data ? this.#withTokens(location, data) : location
  }

  #withTokens(location: string, { accessToken, ...answer }: AuthenticationResult): string {
    const { settings } = this.authentication
    const refreshToken: string | undefined = answer[settings.field]
    // RFC 9700 §4.3.2: never in the query, whatever the page's address ends in
    const page = location.slice(0, location.lastIndexOf('access_token=')).replace(/[?#]$/, '')

    if (settings.cookie && refreshToken) {
      return page
    }

    const tokens = new URLSearchParams({
      access_token: accessToken,
      ...(refreshToken && { refresh_token: this.authentication.shortened(refreshToken, onTheWay) })
    })

    return `${page}${page.includes('#') ? '?' : '#'}${tokens.toString()}`
  }
}

const originOf = (address: string): string | undefined =>
  URL.canParse(address, here) ? new URL(address, here).origin : undefined

/** What the provider knows the user by. */
export function idOf({ sub, id }: OAuthProfile): string | number {
  const value: unknown = sub || id

  if ((typeof value !== 'string' && typeof value !== 'number') || value === '') {
    throw new NotAuthenticated('The provider did not say who signed in')
  }

  return value
}
