import type { AuthenticationResult } from '@feathersjs/authentication'
import type { AuthenticationClient } from '@feathersjs/authentication-client'
import type { Clock } from './options.js'
import type { Kept, SessionStorage } from './session-storage.js'
import type { SocketLink } from './socket-link.js'
import type { Tabs } from './tabs.js'

/** What a client is made of, and what it knows: the functions of session, renewal, calls and signing share it. */
export interface Core {
  readonly client: AuthenticationClient
  readonly clock: Clock
  readonly storage: SessionStorage
  /** The session of a sign-out that the service could not be told of. Stored where its token is in a cookie. */
  readonly left: SessionStorage
  /** What the stock client keeps: the access token of a service without refresh tokens. */
  readonly stock: SessionStorage
  readonly tabs: Tabs
  /** None over HTTP. */
  readonly link: SocketLink | undefined

  /** The session, as it was kept or read last. None: nobody is signed in, or by a service without refresh tokens. */
  kept?: Kept
  result?: AuthenticationResult
  /** When the access token expires: ms since 1970 */
  expiresAt: number

  /** What is under way: a refresh, a sign-in of the socket, the telling of a sign-out. */
  renewal?: Promise<void>
  signing?: Promise<void>
  leaving?: Promise<void>
  /** The sign-ins and sign-outs of the user so far. */
  turn?: Promise<unknown>

  /** When to renew: ms since 1970. `Infinity`: never */
  renewAt: number
  timer?: unknown

  /** Refreshes that failed since the last that did not. */
  failures: number
  failure?: unknown
  /** The service asked for no other before then: ms since 1970 */
  blockedUntil: number
}

export const isExpired = (core: Core): boolean => core.clock.now() >= core.expiresAt
