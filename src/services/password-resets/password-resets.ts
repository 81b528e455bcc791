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

/** The service; without the setting `mail`, only for links that an operator hands over. */
export const passwordResets = (app: Application) => {
  const accounts = app.get('passwordLinks')
  const isMailed = app.get('accountsByMail') !== undefined
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
    methods: isMailed ? ['create', 'patch'] : ['patch'],
    docs: passwordResetDocs(isMailed)
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
    'password-resets': PasswordResetService
  }
}
