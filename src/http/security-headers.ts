import type { Middleware } from '@feathersjs/koa'
import helmet from 'helmet'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'socket.io'
import type { Application } from '../declarations.js'

const year = 365 * 24 * 60 * 60 // s

// For the account page, the only page there is: its own scripts, styles and socket, nothing inline
const contentSecurityPolicy = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'"],
    connectSrc: ["'self'"], // the WebSocket of this origin too (CSP 3 §6.7.2.8)
    baseUri: ["'none'"],
    formAction: ["'none'"], // scripts send what is typed; a form that they missed must not put it into a URL
    frameAncestors: ["'none'"]
  }
}

/**
 * The headers of every answer. They tell browsers to run only our own files, not to frame the page, not to guess types
 * and not to send a referrer; in production also to use HTTPS only, for this host but not for its subdomains.
 */
function fixedHeaders(): [string, string][] {
  const set: [string, string][] = []
  const response = {
    setHeader: (name: string, value: string) => set.push([name, value]),
    removeHeader: () => undefined // for X-Powered-By, which Koa doesn't send
  }
  const middleware = helmet({
    contentSecurityPolicy,
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    strictTransportSecurity: process.env.NODE_ENV === 'production' && {
      maxAge: year,
      includeSubDomains: false
    },
    // For browsers and plug-ins that no longer exist
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false
  })

  // The same for every answer, so helmet runs once
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

/** The same for Socket.IO's answers over HTTP, which don't pass through Koa. */
export const secureSockets = (io: Server) => {
  const setHeaders = setter()

  io.engine.use((_req: IncomingMessage, res: ServerResponse, next: () => void) => {
    setHeaders(res)
    next()
  })
}
