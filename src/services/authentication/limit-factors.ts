import type { Application } from '../../declarations.js'
import type { LimitGuesses } from '../../factors/index.js'

/**
 * Limits the wrong codes for an account: those of all strangers together, so that nobody gets further tries by another
 * address, and those of each client that is known by its session, so that strangers can't use up its own. A right code, let
 * alone a right password, takes back no wrong one.
 */
export const limitFactors =
  (app: Application): LimitGuesses =>
  async ({ userId, client }, make) => {
    const { account } = app.get('rateLimits').factor
    const value = client === undefined ? `strangers to ${userId}` : `session ${client}`

    return account ? account.attempt(value, make, () => false) : make()
  }
