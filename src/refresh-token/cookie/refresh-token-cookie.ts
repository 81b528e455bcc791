import { BadRequest, Forbidden, NotAuthenticated } from '@feathersjs/errors'
import type { HookContext, NextFunction } from '@feathersjs/feathers'
import { Type } from '@feathersjs/typebox'
import type { AuthenticationService } from '../authentication-service.js'
import type { CookieSettings } from '../settings/cookie-settings.js'
import { clearCookie, genuineTokens, setCookie, tokensInCookies } from './cookie.js'
import { Refused } from '../errors.js'
import { isCrossSite } from './origin.js'
import { FactorStrategy } from '../strategies/factor-strategy.js'
import { RefreshTokenStrategy } from '../strategies/refresh-token.js'
import type { Challenge } from '../tokens/challenge.js'
import { checkedBy, invalidData } from '../validation.js'

const checkRequest = checkedBy(
  Type.Object({ strategy: Type.Optional(Type.String()), cookie: Type.Optional(Type.Boolean()) })
)

/** On the context of a login: whether it asked for its refresh token in a cookie. */
export const cookieAsked = Symbol('cookie asked')

export interface CookieContext extends HookContext {
  [cookieAsked]?: boolean
}

/**
 * Around `create` of the authentication service, for browsers. A sign-in with `cookie: true` gets its refresh token in a
 * cookie that no script can read, instead of the body. A refresh without a token in its body takes the token from the
 * cookie and is answered the same way; if it is refused with a reason, the cookie is cleared. All of this requires
 * HTTP, a JSON body, and a page of the service itself or of an origin in the app's setting `origins`.
 *
 * @throws BadRequest when a cookie is impossible; Forbidden from another site; NotAuthenticated without a token
 */
export const refreshTokenCookie = () => async (context: CookieContext, next: NextFunction) => {
  const service = serviceOf(context)
  const { cookie } = service.settings

  if (cookie && tokensOf(context, cookie).length > 0) {
    requireJson(context)
  }

  const { cookie: asked = false, ...request }: Record<string, unknown> = checkRequest(context.data)

  context.data = request

  const first = firstStep(context, service)
  if (first && cookie) {
    bringToken(context, cookie)
  }

  const isAsked = first ? first.cookie : asked && !request.stepUp // which gets no refresh token

  if (isAsked) {
    requireSignIn(context, service, first?.strategy)
    context[cookieAsked] = true
  }
  if (cookie && isAsked) {
    await signIn(context, next)
  } else if (cookie && lacksToken(context, service)) {
    await refresh(context, cookie, next)
  } else {
    await next()
  }
}

async function signIn(context: HookContext, next: NextFunction): Promise<void> {
  requireJson(context)
  requireOwnPage(context)
  await next()
  moveToCookie(context)
}

async function refresh(context: HookContext, cookie: CookieSettings, next: NextFunction): Promise<void> {
  const { field } = serviceOf(context).settings

  requireHttp(context, field)
  requireOwnPage(context)
  context.data = { ...context.data, [field]: requireToken(context, cookie) }

  try {
    await next()
  } catch (error) {
    // After any other failure the token may still be valid, and can be tried again
    if (error instanceof Refused && !error.data.retryAfter) {
      clearCookie(context, serviceOf(context))
    }

    throw error
  }

  moveToCookie(context)
}

const serviceOf = ({ service }: HookContext) => service as unknown as AuthenticationService

function lacksToken({ data }: HookContext, service: AuthenticationService): boolean {
  return (
    service.getStrategy(data.strategy) instanceof RefreshTokenStrategy &&
    data[service.settings.field] === undefined
  )
}

/** The first step of a login that this completes. The strategy says what is wrong with its challenge. */
function firstStep({ data }: HookContext, service: AuthenticationService): Challenge | undefined {
  const strategy = service.getStrategy(data.strategy)
  const challenge: unknown = strategy instanceof FactorStrategy ? strategy.gateOf(data) : undefined

  try {
    return typeof challenge === 'string' ? service.gate.parseChallenge(challenge) : undefined
  } catch {
    return undefined
  }
}

/** A client that has a session anyway is known by its token. */
function bringToken(context: HookContext, cookie: CookieSettings): void {
  const { field } = serviceOf(context).settings
  const token = newestOf(tokensOf(context, cookie), serviceOf(context))

  if (token) {
    context.data = { [field]: token, ...context.data }
  }
}

const isHttp = ({ params }: HookContext) => params.provider === 'rest'

/** Only over HTTP: a socket's handshake may carry the cookie too, but its answer could not set the next one. */
const tokensOf = (context: HookContext, cookie: CookieSettings) =>
  isHttp(context) ? tokensInCookies(cookie, context.params.headers?.cookie) : []

/**
 * The newest token that is ours. There may also be cookies of another path or domain: from previous settings, planted
 * by a sibling host, or broken.
 */
function newestOf(tokens: string[], service: AuthenticationService): string | undefined {
  const genuine = genuineTokens(service, tokens)
  const newest = genuine.reduce(
    (best, token) =>
      token.iat > best.iat || (token.iat === best.iat && token.prev === best.jti) ? token : best,
    genuine[0]!
  )

  return newest ? newest.raw : tokens[0]
}

function requireSignIn(
  context: HookContext,
  { settings }: AuthenticationService,
  strategy = context.data.strategy as string
): void {
  const { cookie, strategies } = settings
  const mistake = !cookie
    ? 'is not possible: the service is not set up to use cookies'
    : !isHttp(context)
      ? 'is not possible here: only an answer over HTTP can set a cookie'
      : !strategies.includes(strategy)
        ? `is for signing in (${strategies.join(', ')}): a refresh is answered by cookie if its token came in one`
        : undefined

  if (mistake) {
    throw invalidData([{ field: 'cookie', message: mistake }])
  }
}

function requireHttp(context: HookContext, field: string): void {
  if (!isHttp(context)) {
    throw invalidData([{ field, message: 'is required: only requests over HTTP bring it in a cookie' }])
  }
}

/** Forms of other sites can send and set cookies, but JSON needs a CORS preflight. */
function requireJson({ params }: HookContext): void {
  if (!/^application\/json\s*(;|$)/i.test(String(params.headers!['content-type']))) {
    throw new BadRequest('With a cookie, or for one, the body has to be application/json')
  }
}

function requireOwnPage({ app, params }: HookContext): void {
  if (isCrossSite(params.headers, app.get('origins') ?? [])) {
    throw new Forbidden('Cookies are neither taken from nor given to pages of other sites')
  }
}

function requireToken(context: HookContext, cookie: CookieSettings): string {
  const token = newestOf(tokensOf(context, cookie), serviceOf(context))

  if (!token) {
    throw new NotAuthenticated('Not authenticated')
  }

  return token
}

function moveToCookie(context: HookContext): void {
  const service = serviceOf(context)
  const { settings, now } = service
  const { [settings.field]: token, ...answer } = context.result
  const life = answer.session.expiresAt.getTime() - now()

  context.result = answer
  setCookie(context, service, context.path, token, Math.max(0, Math.ceil(life / 1000)))
}
