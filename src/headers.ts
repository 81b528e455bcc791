import helmet from 'koa-helmet'
import type { Server } from 'socket.io'

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
export const securityHeaders = () =>
  helmet({
    contentSecurityPolicy,
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    strictTransportSecurity: process.env.NODE_ENV === 'production' && {
      maxAge: year,
      includeSubDomains: false
    }
  })

/** The same for what Socket.IO answers over HTTP, which does not pass through Koa. */
export const secureSockets = (io: Server) => {
  const middleware = securityHeaders()

  io.engine.use((req: unknown, res: unknown, next: () => Promise<void>) =>
    // koa-helmet takes no more of a context than these
    middleware({ req, res } as never, next)
  )
}
