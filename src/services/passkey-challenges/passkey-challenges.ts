import { hooks as schemaHooks } from '@feathersjs/schema'
import type { Application } from '../../declarations.js'
import { authenticateIfAsked } from '../../hooks/authenticate-if-asked.js'
import { withoutEvent } from '../../hooks/without-event.js'
import { PasskeyChallengeService, recentToRegister } from '../../passkeys/internal.js'
import { limitByAddress } from '../../rate-limits/limit-by-address.js'
import { noQueryValidator } from '../password-resets/password-resets.schema.js'
import { passkeyChallengeDocs } from './passkey-challenges.docs.js'
import { passkeyChallengeDataValidator } from './passkey-challenges.schema.js'

/** The service; only with `passkey` among the strategies. */
export const passkeyChallenges = (app: Application) => {
  const passkeys = app.get('passkeys')

  if (!passkeys) {
    return
  }

  app.use('passkey-challenges', new PasskeyChallengeService(passkeys), {
    methods: ['create'],
    docs: passkeyChallengeDocs
  })
  app.service('passkey-challenges').hooks({
    around: {
      create: [authenticateIfAsked(), limitByAddress('passkeyChallenges')]
    },
    before: {
      all: [withoutEvent(), schemaHooks.validateQuery(noQueryValidator)],
      create: [schemaHooks.validateData(passkeyChallengeDataValidator), recentToRegister()]
    }
  })
}

declare module '../../declarations.js' {
  interface ServiceTypes {
    /** Only with the strategy `passkey`. */
    'passkey-challenges': PasskeyChallengeService
  }
}
