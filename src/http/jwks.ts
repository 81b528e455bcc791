import type { Middleware } from '@feathersjs/koa'
import type { Application } from '../declarations.js'
import { publicKeySet } from '../refresh-token/index.js'
import { requireMethod } from './require-method.js'

const path = '/.well-known/jwks.json'
const maxAge = 5 * 60 // s: less than a new key waits before it signs, so no cache lacks the key of a token

/**
 * Publishes the public keys of access tokens (RFC 7517 §5). A middleware rather than a service, because it answers
 * without the database and may be cached.
 */
export const publishedKeys = (): Middleware<Application> => async (ctx, next) => {
  if (ctx.path === path) {
    const { accessTokens } = ctx.app.service('authentication').settings

    requireMethod(ctx, ['GET', 'HEAD'])
    ctx.set('Cache-Control', `public, max-age=${maxAge}`)
    ctx.type = 'application/jwk-set+json' // RFC 7517 §8.5.2
    ctx.body = JSON.stringify(publicKeySet(accessTokens))
  } else {
    await next()
  }
}
