import type { Application } from '../declarations.js'
import { FailureLimit } from './failure-limit.js'
import { rateLimitIndexes } from './indexes.js'
import { MemoryLimit } from './memory-limit.js'
import { RateLimit } from './rate-limit.js'
import type { Limit } from './settings.js'

/** The limits of the setting `rateLimit`; undefined where they are off. */
export interface RateLimits {
  signIn: { account?: FailureLimit; address?: RateLimit }
  signUp: { address?: RateLimit }
  refresh: { address?: MemoryLimit }
  /** Mails that anybody can request, by mailbox and by requester; and guesses of the codes in them. */
  mail: { account?: RateLimit; address?: RateLimit; codes?: FailureLimit }
  /** Challenges for passkeys, which cost little; the limit is that of sign-ins. */
  passkeyChallenges: { address?: MemoryLimit }
  /** Guesses of codes that give a factor, by account. */
  factor: { account?: FailureLimit }
  /** Wrong passwords at step-ups, by session; the limit is that of sign-ins. */
  stepUp: { account?: FailureLimit }
  /** Guesses of `currentPassword`, by session; the limit is that of sign-ins. */
  currentPassword: { account?: FailureLimit }
}

const off = { signIn: false, signUp: false, refresh: false, mail: false, factor: false } as const

/** A sixtieth: at the full rate of a limit per minute, an address costs one write a second. */
const shareOf = ({ limit }: Limit): number => Math.max(1, Math.floor(limit / 60))

/** `app.get('rateLimits')`: the counters of the hooks that limit attempts. */
export const rateLimits = (app: Application) => {
  const { signIn, signUp, refresh, mail, factor } = app.get('rateLimit') || off
  // Kept outside the database, whose hashes therefore don't reveal which names (or passwords) were typed
  const { signKey } = app.service('authentication').settings.refreshTokens.keyring.newest
  const options = { database: app.get('database'), key: signKey! }

  const byAccount = (name: string, { account }: { account: Limit | false }) =>
    account && { account: new FailureLimit(name, { ...options, ...account }) }
  const byAddress = (name: string, { address }: { address: Limit | false }) =>
    address && {
      address: new RateLimit(name, { ...options, ...address, share: shareOf(address), blockInMemory: true })
    }

  app.get('database').needIndexes(rateLimitIndexes)
  app.set('rateLimits', {
    signIn: {
      ...(signIn && byAccount('signIn.account', signIn)),
      ...(signIn && byAddress('signIn.address', signIn))
    },
    signUp: { ...(signUp && byAddress('signUp.address', signUp)) },
    refresh: { ...(refresh && refresh.address && { address: new MemoryLimit(refresh.address) }) },
    mail: {
      ...(mail &&
        mail.account && { account: new RateLimit('mail.account', { ...options, ...mail.account }) }),
      ...(mail && byAddress('mail.address', mail)),
      ...(mail && mail.codes && { codes: new FailureLimit('mail.codes', { ...options, ...mail.codes }) })
    },
    passkeyChallenges: { ...(signIn && signIn.address && { address: new MemoryLimit(signIn.address) }) },
    factor: { ...(factor && byAccount('factor', factor)) },
    stepUp: { ...(signIn && byAccount('stepUp', signIn)) },
    currentPassword: { ...(signIn && byAccount('currentPassword', signIn)) }
  })
}

declare module '../declarations.js' {
  interface Configuration {
    rateLimits: RateLimits
  }
}
