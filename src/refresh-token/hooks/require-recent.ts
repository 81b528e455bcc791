import type { HookContext } from '@feathersjs/feathers'
import type { Document } from 'mongodb'
import { requireMoult } from '../authentication-service.js'
import { StepUpNeeded } from '../errors.js'
import { factorKinds } from '../sessions/gate.js'
import { toMilliseconds, type Duration } from '../settings/duration.js'

export interface StepUpOptions {
  /** How recent it has to be, such as `'10m'`; or a number of seconds. */
  within: Duration
}

/**
 * Before or around a method, after `authenticate`: refuses calls of clients whose access token tells of no recent sign-in
 * or step-up. Who has a factor must have given it then (RFC 9470).
 *
 * @throws StepUpNeeded
 */
export const requireRecent = ({ within }: StepUpOptions) => requirement(within, false)

/**
 * As `requireRecent`, and refuses users without a factor.
 *
 * @throws StepUpNeeded
 */
export const requireFactor = ({ within }: StepUpOptions) => requirement(within, true)

// RFC 8176: a one-time code, a key, or both and more
const methodsOfFactors = ['otp', 'pop', 'mfa']

function requirement(within: Duration, isFactorNeeded: boolean) {
  const limit = toMilliseconds(within)! / 1000

  return async (context: HookContext, next?: () => Promise<void>): Promise<void> => {
    if (context.params.provider) {
      await check(context, limit, isFactorNeeded)
    }

    await next?.()
  }
}

async function check({ app, params }: HookContext, within: number, isFactorNeeded: boolean): Promise<void> {
  const service: unknown = app.defaultAuthentication?.()

  requireMoult(service, 'A call that takes a recent sign-in needs')

  // Of the token at hand, not of the session: one that was stolen before a step-up is as old as it was
  const { sub, auth_time: time, amr }: Document = params.authentication?.payload ?? {}
  const kinds = sub === undefined ? [] : factorKinds((await service.live.findUser(String(sub))).user())
  const isRecent = typeof time === 'number' && service.now() / 1000 - time <= within
  const hasGiven = Array.isArray(amr) && methodsOfFactors.some((method) => amr.includes(method))

  if (!isRecent || ((isFactorNeeded || kinds.length > 0) && !hasGiven)) {
    throw new StepUpNeeded(within, kinds)
  }
}
