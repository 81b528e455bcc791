import type { HookContext, NextFunction } from '@feathersjs/feathers'
import type { AuthenticationService } from '../authentication-service.js'
import { setCookie } from '../cookie.js'

/**
 * Around the callback of a provider, which answers with a redirect to a page: the tokens are in that redirect or in the
 * cookie, and nowhere else.
 *
 * @param path That of the authentication service
 */
export const handOver =
  (service: AuthenticationService, path: string) => async (context: HookContext, next: NextFunction) => {
    const { session, headers } = context.params as { session?: Grant; headers?: Headers }

    // Feathers signs in with these, in place of the headers of the request
    if (session) {
      session.headers = { ...session.headers, 'user-agent': headers?.['user-agent'] }
    }

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

const unseen = { 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' } // RFC 9700 §4.2.4

type Headers = Record<string, string | undefined>

/** What Feathers keeps in a cookie while the browser is at the provider. */
interface Grant {
  headers?: Headers
}
