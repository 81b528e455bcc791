import type { AuthenticationResult } from '@feathersjs/authentication'
import type { AuthenticationClientOptions } from '@feathersjs/authentication-client'
import type { EndReason, RefusalReason } from '../refresh-token/index.js'

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
  /**
   * Where the authentication service is over HTTP, for a socket with `cookie`: beside the socket, unless a proxy has it
   * elsewhere.
   */
  url?: string
  clock?: Partial<Clock>
}

/** What `app.authentication` has beside what the official client has. */
export interface SessionKeeper {
  /** When the access token expires, in ms since 1970 by this device's clock; `undefined` when nobody is signed in. */
  readonly expiresAt: number | undefined
  /** Reads the clock and the storage: timers stand still while a device sleeps. Pages do this by themselves. */
  wake(): void
  /**
   * Renews the access token now, or joins a refresh in progress.
   *
   * @returns the answer of the service, without its refresh token
   * @throws NotAuthenticated when nobody is signed in, or the session is over; any other error says nothing about it
   */
  renew(): Promise<AuthenticationResult>
}

/** All options of `authentication()`. */
export type ClientOptions = Partial<AuthenticationClientOptions>

declare module '@feathersjs/authentication-client/lib/core.js' {
  // eslint-disable-next-line typescript/no-empty-object-type -- how Feathers is extended
  interface AuthenticationClientOptions extends RefreshTokenClientOptions {}

  // eslint-disable-next-line typescript/no-empty-object-type -- `app.authentication` is typed as this class
  interface AuthenticationClient extends SessionKeeper {}
}
