import { JWTStrategy, type AuthenticationStrategy } from '@feathersjs/authentication'
import type { Application, HookContext, NextFunction } from '../../declarations.js'
import { toFeathersError } from '../../hooks/convert-errors.js'
import type { Unverified } from '../../accounts/index.js'
import {
  RefreshTokenStrategy,
  type AuthenticationService,
  type FactorNeeded,
  type Refused,
  type StepUpNeeded
} from '../../refresh-token/index.js'

/** The outcomes of attempts. `refused` means wrong credentials, without saying what was wrong with them. */
export const outcomes = [
  'ok',
  'refused',
  'invalid',
  'expired',
  'revoked',
  'reused',
  'disabled',
  'unverified',
  'factor',
  'step-up',
  'malformed',
  'forbidden',
  'limited',
  'unavailable',
  'failed'
] as const

export type Outcome = (typeof outcomes)[number]

/** A completed call of `create` of the authentication service. */
export interface Attempt {
  kind: 'sign-in' | 'refresh' | 'step-up'
  /** The name of a registered strategy. */
  strategy: string
  outcome: Outcome
  context: HookContext<AuthenticationService>
  /** The error that was thrown. */
  error?: unknown
}

const event = 'attempted'

/** Listens to all sign-ins and refreshes over any transport, once their answer is final. */
export function onAttempt(app: Application, listener: (attempt: Attempt) => void): void {
  app.on(event, listener)
}

/** Around `create` of the authentication service, outermost: reports to the listeners of `onAttempt`. */
export const reportAttempts =
  () => async (context: HookContext<AuthenticationService>, next: NextFunction) => {
    const kind = kindOf(context)
    const report = (outcome: Outcome, error?: unknown) =>
      kind && context.app.emit(event, { kind, strategy: context.data!.strategy, outcome, context, error })

    try {
      await next()
    } catch (error) {
      report(outcomeOf(error), error)
      throw error
    }

    report('ok')
  }

/** The names of the strategies that sign users in. */
export const signInStrategies = ({ strategies, strategyNames }: AuthenticationService): string[] =>
  strategyNames.filter((name) => kindOfStrategy(strategies[name]!) === 'sign-in')

/** Undefined for `jwt`, which is neither: it only verifies a signature, which can't be guessed. */
export function kindOf({ service, data }: HookContext<AuthenticationService>): Attempt['kind'] | undefined {
  const name: unknown = data?.strategy
  const strategy =
    typeof name === 'string' && Object.hasOwn(service.strategies, name) ? service.strategies[name] : undefined

  const kind = strategy && kindOfStrategy(strategy)

  return kind === 'sign-in' && data!.stepUp === true ? 'step-up' : kind
}

/** Undefined for `jwt`. */
export function kindOfStrategy(strategy: AuthenticationStrategy): Attempt['kind'] | undefined {
  if (strategy instanceof JWTStrategy) {
    return undefined
  }

  return strategy instanceof RefreshTokenStrategy ? 'refresh' : 'sign-in'
}

type Refusal = Refused | Unverified | FactorNeeded | StepUpNeeded

const byCode: Record<number, Outcome> = {
  400: 'malformed',
  401: 'refused',
  403: 'forbidden',
  429: 'limited',
  503: 'unavailable'
}

function outcomeOf(error: unknown): Outcome {
  const { code, data } = toFeathersError(error)

  const reason: Refusal['data']['reason'] | undefined = code === 401 ? data?.reason : undefined

  return reason ?? byCode[code] ?? 'failed'
}
