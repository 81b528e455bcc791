import type { AuthenticationClientOptions } from '@feathersjs/authentication-client'
import type { EndReason } from '../refresh-token/session.js'
import type { RefusalReason } from '../refresh-token/errors.js'

/** Why a session ended: the `data.reason` of a refusal, or what `sessions removed` said. */
export type SessionEndReason = RefusalReason | EndReason

/** The time, and what waits for it: another one in tests. */
export interface Clock {
  /** ms since 1970 */
  now(): number
  /** @param delay ms */
  setTimeout(work: () => void, delay: number): unknown
  clearTimeout(timer: unknown): void
}

/** What `RefreshTokenClient` takes beside the options of `@feathersjs/authentication-client`. */
export interface RefreshTokenClientOptions {
  /** Keep the refresh token in a cookie that no script can read, as the service has to be set up to do. */
  cookie?: boolean
  /** The name of refresh tokens in requests and answers: `refreshToken`, unless the service was told another. */
  refreshTokenField?: string
  clock?: Partial<Clock>
}

/** All options of `authentication()`. */
export type ClientOptions = Partial<AuthenticationClientOptions>

declare module '@feathersjs/authentication-client/lib/core.js' {
  // eslint-disable-next-line typescript/no-empty-object-type -- how Feathers is extended
  interface AuthenticationClientOptions extends RefreshTokenClientOptions {}
}
