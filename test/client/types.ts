// Compiled, never run: what the types of the client allow, and what not.
import type { AuthenticationResult } from '@feathersjs/authentication'
import authenticationClient from '@feathersjs/authentication-client'
import { feathers, type Application } from '@feathersjs/feathers'
import {
  RefreshTokenClient,
  type ClientOptions,
  type Clock,
  type RefreshTokenClientOptions,
  type SessionEndReason
} from '../../src/client/index.js'

/* eslint-disable typescript/no-unnecessary-type-parameters -- how two types are compared exactly */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

const is = <T extends true>(_proof?: T): void => {}
/* eslint-enable typescript/no-unnecessary-type-parameters */

const authentication = authenticationClient.default
const app: Application = feathers()

export function types(): void {
  // The one line, and its options beside the official ones
  app.configure(authentication({ Authentication: RefreshTokenClient }))
  app.configure(
    authentication({
      Authentication: RefreshTokenClient,
      storageKey: 'session',
      cookie: true,
      refreshTokenField: 'refresh_token',
      clock: { now: () => 0 }
    })
  )
  // @ts-expect-error no such option
  app.configure(authentication({ Authentication: RefreshTokenClient, cookies: true }))
  // @ts-expect-error a flag
  app.configure(authentication({ Authentication: RefreshTokenClient, cookie: 'yes' }))
  // @ts-expect-error a function
  app.configure(authentication({ Authentication: RefreshTokenClient, clock: { now: 0 } }))

  const client = app.authentication

  is<Same<typeof client.expiresAt, number | undefined>>()
  is<Same<ReturnType<typeof client.wake>, void>>()
  is<Same<ReturnType<typeof client.renew>, Promise<AuthenticationResult>>>()
  is<Same<RefreshTokenClientOptions['cookie'], boolean | undefined>>()
  is<Same<ClientOptions['cookie'], boolean | undefined>>()
  is<Same<ReturnType<Clock['now']>, number>>()
  is<
    Same<
      SessionEndReason,
      | 'invalid'
      | 'expired'
      | 'revoked'
      | 'reused'
      | 'disabled'
      | 'logout'
      | 'admin'
      | 'password'
      | 'factor'
      | 'deleted'
      | 'replaced'
      | 'evicted'
    >
  >()
  // @ts-expect-error read only
  client.expiresAt = 0
  // @ts-expect-error private
  client.core()
}
