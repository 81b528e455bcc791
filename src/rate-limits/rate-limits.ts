import type { Application } from '../declarations.js'
import { FailureLimit } from './failure-limit.js'
import { OwnRateLimit, RateLimit } from './rate-limit.js'
import type { Limit } from './settings.js'

/** The limits of `rateLimit` in config/; those that are off are not there. */
export interface RateLimits {
  signIn: { account?: FailureLimit; address?: RateLimit }
  signUp: { address?: RateLimit }
  refresh: { address?: OwnRateLimit }
  /** Guesses of `currentPassword`: as many as there are of a sign-in. */
  currentPassword: { account?: FailureLimit }
}

/** `app.get('rateLimits')`: what the hooks that limit attempts count with. */
export const rateLimits = (app: Application) => {
  const { signIn, signUp, refresh } = app.get('rateLimit') || { signIn: false, signUp: false, refresh: false }
  // Outside the database, so that what is stored there tells nobody which names (or passwords) were typed
  const { signKey } = app.service('authentication').settings.refreshTokens.keyring.newest
  const options = { database: app.get('database'), key: signKey! }

  const byAccount = (name: string, { account }: { account: Limit | false }) =>
    account && { account: new FailureLimit(name, { ...options, ...account }) }
  const byAddress = (name: string, { address }: { address: Limit | false }) =>
    address && { address: new RateLimit(name, { ...options, ...address, blockInMemory: true }) }

  app.set('rateLimits', {
    signIn: {
      ...(signIn && byAccount('signIn.account', signIn)),
      ...(signIn && byAddress('signIn.address', signIn))
    },
    signUp: { ...(signUp && byAddress('signUp.address', signUp)) },
    refresh: { ...(refresh && refresh.address && { address: new OwnRateLimit(refresh.address) }) },
    currentPassword: { ...(signIn && byAccount('currentPassword', signIn)) }
  })
}
