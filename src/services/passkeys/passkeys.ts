import { authenticate } from '@feathersjs/authentication'
import { hooks as schemaHooks } from '@feathersjs/schema'
import type { Application } from '../../declarations.js'
import { oneOnly } from '../../hooks/one-only.js'
import { withoutEvent } from '../../hooks/without-event.js'
import { PasskeyService, Passkeys, readPasskeySettings } from '../../passkeys/internal.js'
import { requireRecent } from '../../refresh-token/index.js'
import { reportFactorChange } from '../factors/changes.js'
import { noQueryValidator } from '../password-resets/password-resets.schema.js'
import { passkeyDocs } from './passkeys.docs.js'
import { passkeyIndexes } from './passkeys.indexes.js'
import { passkeyDataValidator, passkeyPatchValidator } from './passkeys.schema.js'

/** `app.get('passkeys')` and the service; only with `passkey` among the strategies. */
export const passkeys = (app: Application) => {
  const authentication = app.service('authentication')
  const { authStrategies, passkey } = authentication.configuration

  if (!authStrategies.includes('passkey')) {
    return
  }

  app.set(
    'passkeys',
    new Passkeys({
      authentication,
      settings: readPasskeySettings(passkey, 'authentication.passkey'),
      factors: () => app.get('factors')!,
      report: (change) => reportFactorChange(app, change),
      keyring: authentication.settings.factors!.challenges.keyring,
      now: app.get('now')
    })
  )
  app.get('database').needIndexes(passkeyIndexes)

  app.use('passkeys', new PasskeyService(app.get('passkeys')!), {
    methods: ['find', 'create', 'patch', 'remove'],
    docs: passkeyDocs
  })
  app.service('passkeys').hooks({
    around: {
      all: [authenticate('jwt')]
    },
    before: {
      all: [withoutEvent(), schemaHooks.validateQuery(noQueryValidator)],
      create: [schemaHooks.validateData(passkeyDataValidator)],
      patch: [oneOnly(), schemaHooks.validateData(passkeyPatchValidator)],
      remove: [requireRecent({ within: '10m' }), oneOnly()]
    }
  })
}

declare module '../../declarations.js' {
  interface ServiceTypes {
    /** Only with the strategy `passkey`. */
    passkeys: PasskeyService
  }

  interface Configuration {
    /** Only with the strategy `passkey`. */
    passkeys?: Passkeys
  }
}
