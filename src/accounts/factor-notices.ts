import { ObjectId, type Document } from 'mongodb'
import type { AccountUser, AccountUsers, Notice } from './account-users.js'
import type { EmailChanges } from './email-changes.js'
import { lives } from './lives.js'
import type { Composer } from './mails/composer.js'
import type { Mail } from './mails/mail.js'
import type { StoredJob } from './outbox/job.js'

export interface FactorNoticesOptions {
  users: AccountUsers
  composer: Composer
  changes: EmailChanges
}

/** Mails about factors. Each is stored with the change: as what is added to lists of the user document, by field. */
export class FactorNotices {
  readonly #users: AccountUsers
  readonly #composer: Composer
  readonly #changes: EmailChanges

  constructor({ users, composer, changes }: FactorNoticesOptions) {
    this.#users = users
    this.#composer = composer
    this.#changes = changes
  }

  /** With a link that takes it back, as it takes a change of address back, if the address was verified. */
  added(user: Document, kind: string): Document {
    const former = this.#changes.former(user as AccountUser)

    return {
      notices: this.#notice(user, 'factor-added', { kind, ...(user.emailVerified && { id: former.id }) }),
      ...(user.emailVerified && { formerEmails: former })
    }
  }

  removed(user: Document, kind: string): Document {
    return { notices: this.#notice(user, 'factor-removed', { kind }) }
  }

  codeUsed(user: Document, left: number): Document {
    return { notices: this.#notice(user, 'recovery-code-used', { left }) }
  }

  #notice(user: Document, kind: string, data: Record<string, unknown>): Notice {
    const [email, userId] = [this.#users.emailOf(user as AccountUser), this.#users.idOf(user as AccountUser)]

    return { _id: new ObjectId(), kind, email, userId, data }
  }

  /** To the address of then: whoever added it may have changed that, too. */
  async mailOfAdded(job: StoredJob): Promise<Mail | undefined> {
    const { id, kind } = job.data as { id?: string; kind: string }
    const user = await this.#users.byId(job.userId!)
    const token = user && id !== undefined ? await this.#changes.issue(user, id) : undefined

    return user?.disabled
      ? undefined
      : this.#composer.compose('factor-added', job.email!, job, user, {
          kind,
          ...(token !== undefined && {
            link: this.#composer.link('keep-email', id!, token),
            minutes: lives.keep / 60_000
          })
        })
  }

  async mailOfRemoved(job: StoredJob): Promise<Mail | undefined> {
    const { kind } = job.data as { kind: string }
    const user = await this.#users.byId(job.userId!)

    return user?.disabled
      ? undefined
      : this.#composer.compose('factor-removed', job.email!, job, user, { kind })
  }

  async mailOfCode(job: StoredJob): Promise<Mail | undefined> {
    const { left } = job.data as { left: number }
    const user = await this.#users.byId(job.userId!)

    return user?.disabled
      ? undefined
      : this.#composer.compose('recovery-code-used', job.email!, job, user, { left })
  }
}
