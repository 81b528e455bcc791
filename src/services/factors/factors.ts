import { authenticate } from '@feathersjs/authentication'
import { BadRequest, Forbidden } from '@feathersjs/errors'
import { hooks as schemaHooks } from '@feathersjs/schema'
import type { Application, HookContext, NextFunction } from '../../declarations.js'
import { Factors } from '../../factors/index.js'
import { FactorService, factorsIndex } from '../../factors/internal.js'
import { oneOnly } from '../../hooks/one-only.js'
import { recheckCaller } from '../../hooks/recheck-caller.js'
import { withoutEvent } from '../../hooks/without-event.js'
import { FactorStrategy, invalidData, requireRecent } from '../../refresh-token/index.js'
import { challengesIndex } from '../../refresh-token/internal.js'
import { noQueryValidator } from '../password-resets/password-resets.schema.js'
import { isAdmin } from '../users/roles.js'
import { reportFactorChange } from './changes.js'
import { factorDocs } from './factors.docs.js'
import { factorDataValidator, factorPatchValidator, factorRemoveQueryValidator } from './factors.schema.js'

const recent = requireRecent({ within: '10m' })
const noQuery = schemaHooks.validateQuery(noQueryValidator)
const recheck = recheckCaller()

/** `app.get('factors')`, with a key for factors; and the service, if one of the strategies gives a factor. */
export const factors = (app: Application) => {
  const authentication = app.service('authentication')

  if (!authentication.settings.factors) {
    return
  }

  const factors = new Factors({
    authentication,
    notices: () => app.get('accountsByMail')?.factorNotices,
    report: (change) => reportFactorChange(app, change)
  })

  app.set('factors', factors)

  const { authStrategies } = authentication.configuration

  if (!authentication.getStrategies(...authStrategies).some((one) => one instanceof FactorStrategy)) {
    return
  }

  app.get('database').needIndexes([challengesIndex, factorsIndex])
  app.use('factors', new FactorService(factors), {
    methods: ['find', 'create', 'patch', 'remove'],
    docs: factorDocs
  })
  app.service('factors').hooks({
    around: {
      all: [authenticate('jwt')]
    },
    before: {
      all: [withoutEvent()],
      find: [noQuery],
      create: [noQuery, recent, schemaHooks.validateData(factorDataValidator)],
      patch: [noQuery, recent, oneOnly(), schemaHooks.validateData(factorPatchValidator)],
      remove: [schemaHooks.validateQuery(factorRemoveQueryValidator), recent, oneOrAllByAdmin]
    }
  })
  app.hooks({
    setup: [
      async (_context: unknown, next: NextFunction) => {
        await next()
        await factors.start()
      }
    ]
  })
}

/**
 * Before `remove`, as the last hook. Without an id, and with `userId` in the query, an admin removes all factors of another
 * user, who lost them.
 *
 * @throws Forbidden; BadRequest with neither an id nor `userId`, or with both
 */
async function oneOrAllByAdmin(context: HookContext): Promise<void> {
  const { app, id, params } = context
  const { userId } = params.query as { userId?: string }

  if (userId === undefined) {
    if (id === null) {
      throw invalidData([{ field: 'userId', message: 'is required' }])
    }
    return
  }
  if (id !== null) {
    throw new BadRequest('With the id of a user, all factors are removed')
  }

  await recheck(context)

  if (!isAdmin(context.params.user)) {
    throw new Forbidden('Only admins remove the factors of others')
  }

  context.result = await app.get('factors')!.clear(userId, { by: String(context.params.user!._id), params })
}

declare module '../../declarations.js' {
  interface ServiceTypes {
    /** Only with a key for factors. */
    factors: FactorService
  }

  interface Configuration {
    /** Only with a key for factors. */
    factors?: Factors
  }
}
