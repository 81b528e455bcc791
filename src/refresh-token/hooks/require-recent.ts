import type { HookContext } from '@feathersjs/feathers'
import { requireMoult } from '../authentication-service.js'
import { ConfigurationError } from '../errors.js'
import { toMilliseconds, type Duration } from '../settings/duration.js'

export interface StepUpOptions {
  /** How recent it has to be, such as `'10m'`; or a number of seconds. */
  within: Duration
}

/**
 * Before or around a method, after `authenticate`: refuses calls of clients whose access token tells of no recent sign-in
 * or step-up. Who has a factor must have given it then (RFC 9470).
 *
 * @throws StepUpNeeded; ConfigurationError at once for an unusable duration
 */
export const requireRecent = ({ within }: StepUpOptions) => requirement(within, false)

/**
 * As `requireRecent`, and refuses users without a factor.
 *
 * @throws StepUpNeeded
 */
export const requireFactor = ({ within }: StepUpOptions) => requirement(within, true)

function requirement(within: Duration, isFactorNeeded: boolean) {
  const limit = toMilliseconds(within)

  if (limit === undefined) {
    throw new ConfigurationError(
      `within is ${JSON.stringify(within)}: write a duration such as "10m", or a number of seconds`
    )
  }

  return async ({ app, params }: HookContext, next?: () => Promise<void>): Promise<void> => {
    if (params.provider) {
      const service: unknown = app.defaultAuthentication?.()

      requireMoult(service, 'A call that takes a recent sign-in needs')
      // Of the token at hand, not of the session: one that was stolen before a step-up is as old as it was
      await service.gate.requireRecent(params.authentication?.payload ?? {}, {
        within: limit / 1000,
        isFactorNeeded
      })
    }

    await next?.()
  }
}
