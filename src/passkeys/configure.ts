import { authenticate } from '@feathersjs/authentication'
import type { Application, HookContext, NextFunction } from '@feathersjs/feathers'
import { StringEnum, Type, type TObject } from '@feathersjs/typebox'
import type { Factors } from '../factors/index.js'
import { ConfigurationError, checkedBy, requireRecent } from '../refresh-token/index.js'
import { requireMoult } from '../refresh-token/internal.js'
import { purposes } from './challenges.js'
import { PasskeyStrategy } from './passkey-strategy.js'
import type { PasskeyUser } from './passkey-users.js'
import { Passkeys, type PasskeysOptions } from './passkeys.js'
import { PasskeyChallengeService } from './services/passkey-challenges.js'
import { PasskeyService } from './services/passkeys.js'
import { recentToRegister } from './recent-to-register.js'
import { readPasskeySettings } from './settings.js'
import { registrationSchema } from './webauthn.js'

export interface PasskeysConfiguration extends Pick<PasskeysOptions, 'report'> {
  /** Throws for a user who may not sign in: `new Unverified()`, say. */
  requireWelcome?: (user: PasskeyUser) => void
}

const name = Type.String({ minLength: 1, maxLength: 100 })
const strict = (properties: TObject['properties']) =>
  checkedBy(Type.Object(properties, { additionalProperties: false }))

const checks: Partial<Record<string, Partial<Record<string, (data: unknown) => unknown>>>> = {
  'passkey-challenges': {
    create: strict({
      purpose: StringEnum([...purposes]),
      challenge: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 }))
    })
  },
  passkeys: {
    create: strict({ ...registrationSchema.properties, name: Type.Optional(name) }),
    patch: strict({ name })
  }
}

/**
 * Adds passkeys to an app: the strategy `passkey`, and the services `passkey-challenges` and `passkeys`. Configure it after
 * `factors()` of moult/factors and the users service; `authentication.passkey` says for which pages they are.
 *
 * @throws ConfigurationError
 */
export const passkeys =
  ({ requireWelcome, ...options }: PasskeysConfiguration = {}) =>
  (app: Application): void => {
    const authentication: unknown = app.defaultAuthentication?.()

    requireMoult(authentication, 'Passkeys need', 'register it before they are configured')

    const { configuration, configKey, settings, now } = authentication
    const factors = app.get('factors') as Factors | undefined

    if (!factors || !settings.factors) {
      throw new ConfigurationError(
        'Passkeys need second factors: configure factors() of moult/factors before passkeys()'
      )
    }

    const passkeys = new Passkeys({
      ...options,
      authentication,
      settings: readPasskeySettings(configuration.passkey, `${configKey}.passkey`),
      keyring: settings.factors.challenges.keyring,
      factors: () => factors,
      now
    })

    authentication.register('passkey', new PasskeyStrategy(() => passkeys, requireWelcome))
    app.set('passkeys', passkeys)
    app.use('passkey-challenges', new PasskeyChallengeService(passkeys), { methods: ['create'] })
    app.use('passkeys', new PasskeyService(passkeys), { methods: ['find', 'create', 'patch', 'remove'] })
    app.service('passkey-challenges').hooks({
      around: { create: [authenticateIfAsked(), withoutEvent, checked, recentToRegister()] }
    })
    app.service('passkeys').hooks({
      around: {
        all: [authenticate('jwt'), withoutEvent, checked],
        remove: [requireRecent({ within: '10m' })]
      }
    })
    app.hooks({
      setup: [
        async (_context: HookContext, next: NextFunction) => {
          await next()
          await passkeys.users.makeIndex()
        }
      ]
    })
  }

/** Authenticates calls that bring a token, and lets others pass. */
function authenticateIfAsked() {
  const authenticated = authenticate('jwt')

  return (context: HookContext, next: NextFunction) =>
    context.params.authentication ? authenticated(context, next) : next()
}

/** Nobody is sent events of these services. */
async function withoutEvent(context: HookContext, next: NextFunction): Promise<void> {
  context.event = null
  context.http = { ...context.http, headers: { ...context.http?.headers, 'Cache-Control': 'no-store' } }
  await next()
}

/** Validates data of clients. @throws BadRequest */
async function checked({ path, method, data, params }: HookContext, next: NextFunction): Promise<void> {
  if (params.provider) {
    checks[path]?.[method]?.(data)
  }

  await next()
}
