import { hooks as schemaHooks } from '@feathersjs/schema'
import type { Application, HookContext } from '../../declarations.js'
import { authenticateIfAsked } from '../../hooks/authenticate-if-asked.js'
import { withoutEvent } from '../../hooks/without-event.js'
import { PasskeyChallengeService } from '../../passkeys/internal.js'
import { limitByAddress } from '../../rate-limits/limit-by-address.js'
import { requireRecent } from '../../refresh-token/index.js'
import { noQueryValidator } from '../password-resets/password-resets.schema.js'
import { passkeyChallengeDocs } from './passkey-challenges.docs.js'
import { passkeyChallengeDataValidator } from './passkey-challenges.schema.js'

/** The service; only with `passkey` among the strategies. */
export const passkeyChallenges = (app: Application) => {
  const passkeys = app.get('passkeys')

  if (!passkeys) {
    return
  }

  const service = new PasskeyChallengeService({
    passkeys,
    userId: ({ user }) => user && String(user._id)
  })

  app.use('passkey-challenges', service, { methods: ['create'], docs: passkeyChallengeDocs })
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

/** Before `create`: who adds a passkey has to have signed in lately. @throws StepUpNeeded */
function recentToRegister() {
  const recent = requireRecent({ within: '10m' })

  return async (context: HookContext) => {
    if (context.params.user && context.data.purpose === 'register') {
      await recent(context)
    }
  }
}

declare module '../../declarations.js' {
  interface ServiceTypes {
    /** Only with the strategy `passkey`. */
    'passkey-challenges': PasskeyChallengeService
  }
}
