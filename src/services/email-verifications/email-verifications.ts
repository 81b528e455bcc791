import { NotAuthenticated } from '@feathersjs/errors'
import type { Params } from '@feathersjs/feathers'
import { hooks as schemaHooks } from '@feathersjs/schema'
import { type AccountUser } from '../../accounts/index.js'
import { EmailVerificationService } from '../../accounts/internal.js'
import type { Application } from '../../declarations.js'
import { authenticateIfAsked } from '../../hooks/authenticate-if-asked.js'
import { oneOnly } from '../../hooks/one-only.js'
import { takeTurn } from '../../hooks/take-turn.js'
import { withoutEvent } from '../../hooks/without-event.js'
import type { Assertion } from '../../passkeys/internal.js'
import { Refused } from '../../refresh-token/index.js'
import { verifyStoredPassword } from '../../passwords/verify.js'
import { clientOf } from '../../http/client-of.js'
import { limitByAddress } from '../../rate-limits/limit-by-address.js'
import { reportAccountChange } from '../mails/account-changes.js'
import { noQueryValidator } from '../password-resets/password-resets.schema.js'
import { emailVerificationDocs } from './email-verifications.docs.js'
import {
  emailVerificationDataValidator,
  emailVerificationPatchValidator
} from './email-verifications.schema.js'

/** The service; only with the setting `mail`. */
export const emailVerifications = (app: Application) => {
  const accounts = app.get('accountsByMail')

  if (!accounts) {
    return
  }

  const service = new EmailVerificationService({
    accounts,
    clientOf: (params) => clientOf(params),
    verifyPassword: (password, user) => verifyPassword(app, user, password),
    verifyPasskey: (assertion, user, params) => verifyPasskey(app, user, assertion as Assertion, params),
    report: (change) => reportAccountChange(app, change)
  })

  app.use('email-verifications', service, { methods: ['create', 'patch'], docs: emailVerificationDocs })
  app.service('email-verifications').hooks({
    around: {
      all: [authenticateIfAsked()],
      create: [limitByAddress('mail')],
      patch: [takeTurn(({ data }) => data?.password !== undefined)]
    },
    before: {
      all: [withoutEvent(), schemaHooks.validateQuery(noQueryValidator)],
      create: [schemaHooks.validateData(emailVerificationDataValidator)],
      patch: [oneOnly(), schemaHooks.validateData(emailVerificationPatchValidator)]
    }
  })
}

/** Verifies a password. Guesses are limited like those of `currentPassword`. @throws TooManyRequests */
async function verifyPassword(app: Application, user: AccountUser, password: string): Promise<boolean> {
  const users = app.get('database').collection('users')
  const { account } = app.get('rateLimits').currentPassword
  const { password: hash } = user as { password?: string }

  const verify = async () => {
    const isRight =
      hash !== undefined &&
      (await verifyStoredPassword(
        app.get('hasher'),
        { users, id: user._id, field: 'password', hash },
        password
      )) !== undefined

    if (!isRight) {
      throw new NotAuthenticated('The password is wrong')
    }
    return true
  }

  return account ? account.attempt(String(user._id), verify) : verify()
}

async function verifyPasskey(
  app: Application,
  user: AccountUser,
  assertion: Assertion,
  params: Params
): Promise<boolean> {
  const use = await app
    .get('passkeys')
    ?.use(assertion, user, ['sign-in'], params)
    .catch((error: unknown) => {
      if (!(error instanceof Refused)) {
        throw error
      }
    })

  return use !== undefined
}

declare module '../../declarations.js' {
  interface ServiceTypes {
    /** Only with the setting `mail`. */
    'email-verifications': EmailVerificationService
  }
}
