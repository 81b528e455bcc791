import { OAuthStrategy } from '@feathersjs/authentication-oauth/lib/strategy.js'
import { NotFound } from '@feathersjs/errors'
import type { HookContext, NextFunction } from '@feathersjs/feathers'
import type { AuthenticationService } from '../authentication-service.js'
import { setCookie } from '../cookie/cookie.js'

/**
 * Around the callback of a provider, which redirects to a page: moves the tokens to that redirect or to the cookie, and
 * signs nobody in if the page belongs to another site.
 *
 * @param path The path of the authentication service
 */
export const handOver =
  (service: AuthenticationService, path: string) => async (context: HookContext, next: NextFunction) => {
    const { session, headers, route } = context.params as unknown as OAuthParams

    await providerOf(service, route).getRedirect(new Error(), session)
    // Feathers passes these to the sign-in, instead of the headers of the request
    session.headers = { ...session.headers, 'user-agent': headers['user-agent'] }
    context.http = { ...context.http, headers: { ...context.http?.headers, ...noTrace } }

    await next()

    const { settings, now } = service
    const { cookie, field } = settings
    const { location, ...answer } = context.result

    if (location) {
      context.http = { ...context.http, location }
      context.result = {}
    }
    if (location && cookie && answer[field]) {
      const life = answer.session.expiresAt.getTime() - now()

      setCookie(context, service, path, answer[field], Math.ceil(life / 1000))
    }
  }

/** Around the services of a provider: refuses sockets, which have no cookies. @throws NotFound */
export const requireProvider =
  (service: AuthenticationService) => async (context: HookContext, next: NextFunction) => {
    const { session, route } = context.params as unknown as OAuthParams

    if (!session || !(providerOf(service, route) instanceof OAuthStrategy)) {
      throw new NotFound('There is no such provider')
    }

    return next()
  }

const providerOf = (service: AuthenticationService, { provider }: OAuthParams['route']) =>
  service.getStrategy(provider) as unknown as OAuthStrategy

const noTrace = { 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' } // RFC 9700 §4.2.4

type Headers = Record<string, string | undefined>

/** The params of a browser's request. */
interface OAuthParams {
  route: { provider: string }
  headers: Headers
  /** Kept in a cookie while the browser is at the provider. */
  session: { headers?: Headers; redirect?: string }
}
