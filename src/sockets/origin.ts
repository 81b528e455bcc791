import type { AllowRequest } from '../http/connection-limits.js'
import { isKnownOrigin } from '../refresh-token/internal.js'

/**
 * Refuses handshakes from pages of other sites: CORS doesn't cover WebSockets. A request without an origin doesn't come
 * from a page.
 */
export const fromKnownOrigin =
  (origins: string[]): AllowRequest =>
  ({ headers }, answer) =>
    answer(null, headers.origin === undefined || isKnownOrigin(headers.origin, headers, origins))

/** Allows a handshake that both checks allow. */
export const both =
  (first: AllowRequest, second: AllowRequest): AllowRequest =>
  (request, answer) =>
    first(request, (why, allowed) => (allowed ? second(request, answer) : answer(why, false)))
