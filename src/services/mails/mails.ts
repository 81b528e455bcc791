import { TooManyRequests } from '@feathersjs/errors'
import { type Deliver } from '../../accounts/index.js'
import { AccountsByMail } from '../../accounts/internal.js'
import { caseInsensitive } from '../../database/indexes.js'
import type { Application, NextFunction } from '../../declarations.js'
import type { AuditEvent } from '../events/trail/event.js'
import { deliveryOf } from './delivery.js'
import { loadTemplates } from './load-templates.js'
import { linkIndexes, mailIndexes } from './mails.indexes.js'

/**
 * `app.get('accountsByMail')`, and the outbox, which sends while the app runs; off without the setting `mail`, where only
 * `app.get('passwordLinks')` is left.
 */
export const mails = (app: Application) => {
  const settings = app.get('mail')

  if (!settings) {
    app.set('passwordLinks', accountsOf(app, {}))
    app.get('database').needIndexes(linkIndexes)
    return
  }

  const delivery = deliveryOf(app, settings)
  const accounts = accountsOf(app, { from: settings.from, deliver: (mail) => delivery.deliver(mail) })

  app.set('accountsByMail', accounts)
  app.set('passwordLinks', accounts)
  app.get('database').needIndexes(mailIndexes)
  app.hooks({
    setup: [
      async (_context: unknown, next: NextFunction) => {
        if (settings.templates !== undefined) {
          accounts.composer.replace(await loadTemplates(settings.templates))
        }

        tellOfNewDevices(app, accounts)
        await next()
        accounts.outbox.start()
      }
    ],
    teardown: [
      async (_context: unknown, next: NextFunction) => {
        await accounts.outbox.stop()
        delivery.close()
        await next()
      }
    ]
  })
}

function accountsOf(app: Application, mail: { from?: string; deliver?: Deliver }): AccountsByMail {
  const { url = `http://${app.get('host')}:${app.get('port')}/` } = app.get('accounts')

  return new AccountsByMail({
    authentication: app.service('authentication'),
    ...mail,
    url,
    collation: caseInsensitive,
    mayMail: (key) => mayMail(app, key),
    limitGuesses: async (key, guess) => {
      const { codes } = app.get('rateLimits').mail

      await (codes ? codes.attempt(key, guess) : guess())
    },
    knownAs: async (userId, client) => app.get('eventStore')?.knownAs(userId, client),
    now: app.get('now'),
    warn: (sentence) => app.get('logger').warn(sentence)
  })
}

/** Mails users about sign-ins from new devices. Needs the audit trail, which tells which devices are new. */
function tellOfNewDevices(app: Application, accounts: AccountsByMail): void {
  if (!app.get('events')) {
    return
  }

  app.service('events').on('created', ({ type, userId, device, createdAt }: AuditEvent) => {
    if (type === 'new-device') {
      accounts
        .tellOfDevice(userId!, device, createdAt)
        .catch((error: Error) =>
          app.get('logger').warn(`A mail about a new device was not sent: ${error.message}`)
        )
    }
  })
}

/** Whether another mail may be sent. The requester doesn't learn the answer, which would reveal that there is an account. */
async function mayMail(app: Application, key: string): Promise<boolean> {
  try {
    await app.get('rateLimits').mail.account?.take(key)
    return true
  } catch (error) {
    if (error instanceof TooManyRequests) {
      return false
    }
    throw error
  }
}

declare module '../../declarations.js' {
  interface Configuration {
    /** Only with the setting `mail`. */
    accountsByMail?: AccountsByMail
    /** The same; or, without mail, for links to choose a password that an operator hands over. */
    passwordLinks: AccountsByMail
    /** Delivers mails in place of SMTP. */
    deliver?: Deliver | undefined
  }
}
