import type { Middleware } from '@feathersjs/koa'
import helmet from 'helmet'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'socket.io'
import type { Application } from './declarations.js'

const year = 365 * 24 * 60 * 60 // s

// The account page is all that is ever shown: its own scripts, styles and socket, and nothing inline
const contentSecurityPolicy = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'"],
    connectSrc: ["'self'"], // the WebSocket of this origin too (CSP 3 §6.7.2.8)
    baseUri: ["'none'"],
    formAction: ["'none'"], // scripts send what is typed: a form that they missed must not put it into a URL
    frameAncestors: ["'none'"]
  }
}

/**
 * What browsers are told with each answer: to run nothing but our own files, to frame nothing, to guess no types and to
 * tell other sites nothing. In production also to come by HTTPS alone; what else runs under the domain is not for us
 * to decide.
 */
function fixedHeaders(): [string, string][] {
  const set: [string, string][] = []
  const response = {
    setHeader: (name: string, value: string) => set.push([name, value]),
    removeHeader: () => undefined // X-Powered-By, which Koa does not send
  }
  const middleware = helmet({
    contentSecurityPolicy,
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    strictTransportSecurity: process.env.NODE_ENV === 'production' && {
      maxAge: year,
      includeSubDomains: false
    },
    // Of browsers and plug-ins that are gone
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false
  })

  // They are the same for every answer, so helmet is asked once
  middleware({} as IncomingMessage, response as unknown as ServerResponse, () => undefined)
  return set
}

const setter = () => {
  const fixed = fixedHeaders()

  return (response: ServerResponse) => {
    for (const [name, value] of fixed) {
      response.setHeader(name, value)
    }
  }
}

export const securityHeaders = (): Middleware<Application> => {
  const setHeaders = setter()

  return (ctx, next) => {
    setHeaders(ctx.res)
    return next()
  }
}

/** The same for what Socket.IO answers over HTTP, which does not pass through Koa. */
export const secureSockets = (io: Server) => {
  const setHeaders = setter()

  io.engine.use((_req: IncomingMessage, res: ServerResponse, next: () => void) => {
    setHeaders(res)
    next()
  })
}
