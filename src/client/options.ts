import type { AuthenticationResult } from '@feathersjs/authentication'
import type { AuthenticationClientOptions } from '@feathersjs/authentication-client'
import type { EndReason, RefusalReason } from '../refresh-token/index.js'

/** Why a session ended: the `data.reason` of a refusal, or the reason in the event `sessions removed`. */
export type SessionEndReason = RefusalReason | EndReason

/** The time and timers, which tests replace. */
export interface Clock {
  /** ms since 1970 */
  now(): number
  /** @param delay ms */
  setTimeout(work: () => void, delay: number): unknown
  clearTimeout(timer: unknown): void
}

/** Options of `RefreshTokenClient`, in addition to those of `@feathersjs/authentication-client`. */
export interface RefreshTokenClientOptions {
  /** Keep the refresh token in a cookie that no script can read. The service has to be configured for it. */
  cookie?: boolean
  /** The name of the refresh token in requests and answers, as configured in the service; `refreshToken` by default. */
  refreshTokenField?: string
  /**
   * The URL of the authentication service over HTTP, for a socket with `cookie`. By default it is derived from the
   * address of the socket; set it if a proxy serves it elsewhere.
   */
  url?: string
  clock?: Partial<Clock>
}

/** What `app.authentication` adds to the official client. */
export interface SessionKeeper {
  /** When the access token expires, ms since 1970 by this device's clock; `undefined` while nobody is signed in. */
  readonly expiresAt: number | undefined
  /** Checks the clock and the storage, because timers stop while a device sleeps. Pages do this by themselves. */
  wake(): void
  /**
   * Renews the access token now, or joins a refresh in progress.
   *
   * @returns The answer of the service, without its refresh token
   * @throws NotAuthenticated if nobody is signed in, or the session has ended; any other error says nothing about it
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
