import { authenticate } from '@feathersjs/authentication'
import type { Application, HookContext, NextFunction } from '@feathersjs/feathers'
import { StringEnum, Type, type TObject } from '@feathersjs/typebox'
import { checkedBy, requireRecent } from '../refresh-token/index.js'
import { requireMoult } from '../refresh-token/internal.js'
import { RecoveryCodeStrategy, TotpStrategy, type LimitGuesses } from './code-strategy.js'
import { FactorService } from './factor-service.js'
import type { FactorNotices } from './factor.js'
import { Factors, type FactorsOptions } from './factors.js'

export interface FactorsConfiguration extends Omit<FactorsOptions, 'authentication' | 'notices'> {
  /** Limits the wrong codes for an account, over all challenges; by default only those of each challenge are. */
  limitGuesses?: LimitGuesses
}

const strict = (properties: TObject['properties']) =>
  checkedBy(Type.Object(properties, { additionalProperties: false }))

const checks: Partial<Record<string, (data: unknown) => unknown>> = {
  create: strict({ kind: StringEnum(['totp', 'recovery-codes']) }),
  patch: strict({
    code: Type.String({ minLength: 1, maxLength: 128 }),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 100 }))
  })
}

/**
 * Adds second factors to an app: the strategies `totp` and `recovery-code`, as far as they are among `authStrategies`, and
 * the service `factors`. Configure it after the authentication service.
 *
 * @throws ConfigurationError unless the app has the AuthenticationService of moult, and a key for factors
 */
export const factors =
  ({ limitGuesses, ...options }: FactorsConfiguration = {}) =>
  (app: Application): void => {
    const authentication: unknown = app.defaultAuthentication?.()

    requireMoult(authentication, 'Factors need', 'register it before they are configured')

    const factors = new Factors({
      ...options,
      authentication,
      notices: () =>
        (app.get('accountsByMail') as { factorNotices: FactorNotices } | undefined)?.factorNotices
    })
    const { authStrategies } = authentication.configuration

    if (authStrategies.includes('totp')) {
      authentication.register('totp', new TotpStrategy(() => factors, limitGuesses))
    }
    if (authStrategies.includes('recovery-code')) {
      authentication.register('recovery-code', new RecoveryCodeStrategy(() => factors, limitGuesses))
    }

    app.set('factors', factors)
    app.use('factors', new FactorService(factors), { methods: ['find', 'create', 'patch', 'remove'] })
    app.service('factors').hooks({
      around: {
        all: [authenticate('jwt'), withoutEvent],
        create: [requireRecent({ within: '10m' }), checked],
        patch: [requireRecent({ within: '10m' }), checked],
        remove: [requireRecent({ within: '10m' })]
      }
    })
    app.hooks({
      setup: [
        async (_context: HookContext, next: NextFunction) => {
          await next()
          await factors.start()
        }
      ]
    })
  }

/** Nobody is sent events of this service. */
async function withoutEvent(context: HookContext, next: NextFunction): Promise<void> {
  context.event = null
  context.http = { ...context.http, headers: { ...context.http?.headers, 'Cache-Control': 'no-store' } }
  await next()
}

/** Validates data of clients. @throws BadRequest */
async function checked({ method, data, params }: HookContext, next: NextFunction): Promise<void> {
  if (params.provider) {
    checks[method]!(data)
  }

  await next()
}
