import { authenticate } from '@feathersjs/authentication'
import { BadRequest } from '@feathersjs/errors'
import type { Application, HookContext, NextFunction, Params } from '@feathersjs/feathers'
import { Type, type TObject } from '@feathersjs/typebox'
import { checkedBy } from '../refresh-token/index.js'
import { requireMoult } from '../refresh-token/internal.js'
import { AccountsByMail, type AccountsByMailOptions } from './accounts-by-mail.js'
import type { AccountUser } from './account-users.js'
import { emailSchema } from './email-schema.js'
import { EmailCodeStrategy } from './email-code-strategy.js'
import { guardFields } from './guard-fields.js'
import { smtp, type SmtpDelivery } from './mails/smtp.js'
import type { Deliver } from './mails/mail.js'
import type { Client } from './outbox/job.js'
import type { AccountChange } from './services/account-change.js'
import { EmailVerificationService } from './services/email-verifications.js'
import { PasswordResetService } from './services/password-resets.js'
import { SignInCodeService } from './services/sign-in-codes.js'
import { keepFields, pendEmail, verifyNewUsers } from './user-hooks.js'

export interface AccountsOptions extends Omit<
  AccountsByMailOptions,
  'authentication' | 'from' | 'deliver' | 'matchesPrevious' | 'knownAs'
> {
  /** The sender of mails: `Example <hello@example.com>`. */
  from: string
  /** The URL of an SMTP server, or a function that delivers mail. */
  smtp: string | Deliver
  /** Throws a BadRequest for a password that a user may not choose. */
  checkPassword?: (password: string, user: AccountUser) => Promise<void> | void
  /** Called when an account has been changed by a link. */
  report?: (change: AccountChange) => void
}

/** The parts of Feathers' local strategy that hash and verify passwords. */
interface Passwords {
  hashPassword(password: string, params: Params): Promise<string>
  comparePassword(entity: object, password: string): Promise<unknown>
}

const token = Type.String({ minLength: 1, maxLength: 128 })
const password = Type.String({ minLength: 1, maxLength: 1024 })
const strict = (properties: TObject['properties']) =>
  checkedBy(Type.Object(properties, { additionalProperties: false }))

const check = {
  'password-resets': { create: strict({ email: emailSchema }), patch: strict({ token, password }) },
  'email-verifications': {
    create: strict({ email: Type.Optional(emailSchema) }),
    patch: strict({ token, password: Type.Optional(password), keep: Type.Optional(Type.Literal(true)) })
  },
  'sign-in-codes': { create: strict({ email: emailSchema }) }
}

/**
 * Adds accounts by mail to an app: hooks for the users service, and the services `password-resets`,
 * `email-verifications` and, with the strategy `email-code`, `sign-in-codes`. Configure it after the users service.
 *
 * @throws ConfigurationError unless the app has the AuthenticationService of moult
 */
export const accountsByMail =
  ({ smtp: delivery, checkPassword, report, ...options }: AccountsOptions) =>
  (app: Application): void => {
    const authentication: unknown = app.defaultAuthentication?.()

    requireMoult(authentication, 'Accounts by mail need', 'register it before they are configured')

    const mailer: SmtpDelivery =
      typeof delivery === 'string' ? smtp(delivery) : { deliver: delivery, close: () => undefined }
    const [passwords] = authentication.getStrategies('local') as unknown as Passwords[]
    const isPassword = (guess: string, user: object) =>
      passwords!.comparePassword(user, guess).then(
        () => true,
        () => false
      )
    const accounts: AccountsByMail = new AccountsByMail({
      ...options,
      authentication,
      deliver: (mail) => mailer.deliver(mail),
      matchesPrevious: (token, hash) => isPassword(token, { [accounts.users.passwordField]: hash })
    })
    const { service: usersPath, entity, authStrategies } = authentication.configuration
    const reported = report && { report }
    const clientOf = (params: Params): Client => {
      const user = (params as Record<string, AccountUser | undefined>)[entity!]

      return user ? { userId: accounts.users.idOf(user) } : {}
    }

    app.set('accountsByMail', accounts)
    app.use(
      'password-resets',
      new PasswordResetService({
        accounts,
        clientOf,
        async hash(chosen, user) {
          await checkPassword?.(chosen, user)

          return passwords!.hashPassword(chosen, {})
        },
        ...reported
      }),
      { methods: ['create', 'patch'] }
    )
    app.use(
      'email-verifications',
      new EmailVerificationService({
        accounts,
        clientOf,
        verifyPassword: isPassword,
        ...reported
      }),
      { methods: ['create', 'patch'] }
    )
    for (const path of ['password-resets', 'email-verifications']) {
      app.service(path).hooks({ around: { all: [authenticateIfAsked()] } })
    }

    if (authStrategies.includes('email-code')) {
      authentication.register('email-code', new EmailCodeStrategy(() => accounts.signInCodes))
      app.use('sign-in-codes', new SignInCodeService(accounts, clientOf), { methods: ['create'] })
    }

    for (const [path, checks] of Object.entries(check)) {
      if (path in app.services) {
        app.service(path).hooks({ around: { all: [withoutEvent, checked(checks)] } })
      }
    }

    app.service(usersPath!).hooks({
      around: { all: [guardFields(accounts.users, entity!)] },
      before: {
        create: [verifyNewUsers(accounts)],
        update: [keepFields(accounts)],
        patch: [pendEmail(accounts)]
      }
    })
    app.hooks({
      setup: [
        async (_context: HookContext, next: NextFunction) => {
          await next()
          await accounts.start()
        }
      ],
      teardown: [
        async (_context: HookContext, next: NextFunction) => {
          await accounts.outbox.stop()
          mailer.close()
          await next()
        }
      ]
    })
  }

/** Authenticates calls with a token, and lets others pass. */
function authenticateIfAsked() {
  const authenticated = authenticate('jwt')

  return (context: HookContext, next: NextFunction) =>
    context.params.authentication ? authenticated(context, next) : next()
}

/** Suppresses Feathers' events of these services. */
async function withoutEvent(context: HookContext, next: NextFunction): Promise<void> {
  context.event = null
  await next()
}

/** Validates data from clients. @throws BadRequest */
const checked =
  (checks: Partial<Record<string, (data: unknown) => unknown>>) =>
  async ({ id, method, data, params }: HookContext, next: NextFunction) => {
    if (params.provider) {
      checks[method]?.(data)
    }
    if (method === 'patch' && typeof id !== 'string') {
      throw new BadRequest('The id of the link is missing')
    }

    return next()
  }
