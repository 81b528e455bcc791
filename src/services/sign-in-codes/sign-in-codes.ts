import { hooks as schemaHooks } from '@feathersjs/schema'
import { SignInCodeService } from '../../accounts/internal.js'
import type { Application } from '../../declarations.js'
import { withoutEvent } from '../../hooks/without-event.js'
import { clientOf } from '../../http/client-of.js'
import { limitByAddress } from '../../rate-limits/limit-by-address.js'
import { noQueryValidator } from '../password-resets/password-resets.schema.js'
import { signInCodeDocs } from './sign-in-codes.docs.js'
import { signInCodeDataValidator } from './sign-in-codes.schema.js'

/** The service; only with `email-code` among the strategies. */
export const signInCodes = (app: Application) => {
  const accounts = app.get('accountsByMail')

  if (!accounts || !app.service('authentication').configuration.authStrategies.includes('email-code')) {
    return
  }

  app.use('sign-in-codes', new SignInCodeService(accounts, clientOf), {
    methods: ['create'],
    docs: signInCodeDocs
  })
  app.service('sign-in-codes').hooks({
    around: {
      create: [limitByAddress('mail')]
    },
    before: {
      all: [withoutEvent(), schemaHooks.validateQuery(noQueryValidator)],
      create: [schemaHooks.validateData(signInCodeDataValidator)]
    }
  })
}

declare module '../../declarations.js' {
  interface ServiceTypes {
    /** Only with the strategy `email-code`. */
    'sign-in-codes': SignInCodeService
  }
}
