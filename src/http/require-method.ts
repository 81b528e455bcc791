import { MethodNotAllowed, NotFound } from '@feathersjs/errors'
import type { Middleware } from '@feathersjs/koa'
import type { Application } from '../declarations.js'

type Context = Parameters<Middleware<Application>>[0]

/** @throws MethodNotAllowed with `Allow` (RFC 9110 §15.5.6); NotFound where nothing is allowed */
export function requireMethod(ctx: Context, allowed: string[]): void {
  if (allowed.length === 0) {
    throw new NotFound(`Path ${ctx.path} not found`)
  }
  if (!allowed.includes(ctx.method)) {
    ctx.set('Allow', allowed.join(', '))
    throw new MethodNotAllowed(`Method ${ctx.method} is not supported here`)
  }
}
