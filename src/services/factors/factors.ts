import { authenticate } from '@feathersjs/authentication'
import { hooks as schemaHooks } from '@feathersjs/schema'
import type { Application, NextFunction } from '../../declarations.js'
import { Factors } from '../../factors/index.js'
import { FactorService } from '../../factors/internal.js'
import { oneOnly } from '../../hooks/one-only.js'
import { withoutEvent } from '../../hooks/without-event.js'
import { requireRecent } from '../../refresh-token/index.js'
import { noQueryValidator } from '../password-resets/password-resets.schema.js'
import { reportFactorChange } from './changes.js'
import { factorDocs } from './factors.docs.js'
import { factorDataValidator, factorPatchValidator } from './factors.schema.js'

const recent = requireRecent({ within: '10m' })

/** The service, and `app.get('factors')`; only with a key for factors. */
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
  app.use('factors', new FactorService(factors), {
    methods: ['find', 'create', 'patch', 'remove'],
    docs: factorDocs
  })
  app.service('factors').hooks({
    around: {
      all: [authenticate('jwt')]
    },
    before: {
      all: [withoutEvent(), schemaHooks.validateQuery(noQueryValidator)],
      create: [recent, schemaHooks.validateData(factorDataValidator)],
      patch: [recent, oneOnly(), schemaHooks.validateData(factorPatchValidator)],
      remove: [recent, oneOnly()]
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
