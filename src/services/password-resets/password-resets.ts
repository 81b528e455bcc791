import { hooks as schemaHooks } from '@feathersjs/schema'
import { PasswordResetService } from '../../accounts/internal.js'
import type { Application } from '../../declarations.js'
import { authenticateIfAsked } from '../../hooks/authenticate-if-asked.js'
import { oneOnly } from '../../hooks/one-only.js'
import { takeTurn } from '../../hooks/take-turn.js'
import { withoutEvent } from '../../hooks/without-event.js'
import { clientOf } from '../../http/client-of.js'
import { limitByAddress } from '../../rate-limits/limit-by-address.js'
import { reportAccountChange } from '../mails/account-changes.js'
import { requireStrongPassword } from '../users/refuse-weak-password.js'
import { passwordResetDocs } from './password-resets.docs.js'
import {
  noQueryValidator,
  passwordResetDataValidator,
  passwordResetPatchValidator
} from './password-resets.schema.js'

/** The service; only with the setting `mail`. */
export const passwordResets = (app: Application) => {
  const accounts = app.get('accountsByMail')

  if (!accounts) {
    return
  }

  const service = new PasswordResetService({
    accounts,
    async hash(password, { email }) {
      await requireStrongPassword(password, String(email))

      return app.get('hasher').hash(password)
    },
    clientOf: (params) => clientOf(params),
    report: (change) => reportAccountChange(app, change)
  })

  app.use('password-resets', service, {
    methods: ['create', 'patch'],
    docs: passwordResetDocs
  })
  app.service('password-resets').hooks({
    around: {
      create: [authenticateIfAsked(), limitByAddress('mail')],
      patch: [takeTurn()]
    },
    before: {
      all: [withoutEvent(), schemaHooks.validateQuery(noQueryValidator)],
      create: [schemaHooks.validateData(passwordResetDataValidator)],
      patch: [oneOnly(), schemaHooks.validateData(passwordResetPatchValidator)]
    }
  })
}

declare module '../../declarations.js' {
  interface ServiceTypes {
    /** Only with the setting `mail`. */
    'password-resets': PasswordResetService
  }
}
