import { OAuthStrategy } from '@feathersjs/authentication-oauth'
import { NotFound } from '@feathersjs/errors'
import type { HookContext, NextFunction } from '@feathersjs/feathers'
import type { AuthenticationService } from '../authentication-service.js'
import { setCookie } from '../cookie.js'

/**
 * Around the callback of a provider, which answers with a redirect to a page: the tokens are in that redirect or in the
 * cookie, and nowhere else. Nobody is signed in where that page is none of ours.
 *
 * @param path That of the authentication service
 */
export const handOver =
  (service: AuthenticationService, path: string) => async (context: HookContext, next: NextFunction) => {
    const { session, headers, route } = context.params as unknown as OAuthParams

    await providerOf(service, route).getRedirect(new Error(), session)
    // Feathers signs in with these, in place of the headers of the request
    session.headers = { ...session.headers, 'user-agent': headers['user-agent'] }
    context.http = { ...context.http, headers: { ...context.http?.headers, ...unseen } }

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

      setCookie(
        context,
        { ...cookie, path: cookie.path ?? `/${path}` },
        answer[field],
        Math.ceil(life / 1000)
      )
    }
  }

/** Around all that a provider is reached by: a socket has no cookies to go there with. @throws NotFound */
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

const unseen = { 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' } // RFC 9700 §4.2.4

type Headers = Record<string, string | undefined>

/** What Feathers makes of a request of a browser. */
interface OAuthParams {
  route: { provider: string }
  headers: Headers
  /** What it keeps in a cookie while the browser is at the provider. */
  session: { headers?: Headers; redirect?: string }
}
