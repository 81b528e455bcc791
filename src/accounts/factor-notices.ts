import { ObjectId, type Document } from 'mongodb'
import type { AccountUser, AccountUsers, Notice } from './account-users.js'
import type { EmailChanges } from './email-changes.js'
import { lives } from './lives.js'
import type { MailLimits } from './mail-limits.js'
import type { Composer } from './mails/composer.js'
import type { Mail, MailData } from './mails/mail.js'
import type { StoredJob } from './outbox/job.js'

export interface FactorNoticesOptions {
  users: AccountUsers
  composer: Composer
  changes: EmailChanges
  limits: MailLimits
}

/** Mails about factors. Each is stored with the change: as what is added to lists of the user document, by field. */
export class FactorNotices {
  readonly #users: AccountUsers
  readonly #composer: Composer
  readonly #changes: EmailChanges
  readonly #limits: MailLimits

  constructor({ users, composer, changes, limits }: FactorNoticesOptions) {
    this.#users = users
    this.#composer = composer
    this.#changes = changes
    this.#limits = limits
  }

  /**
   * With a link that takes it back, as it takes a change of address back, if the address was verified. A user who has many
   * of them needs no more: an earlier one takes this back, too.
   */
  async added(user: Document, kind: string): Promise<Document> {
    const former = this.#changes.former(user as AccountUser)
    const hasLink = (await this.#changes.makeRoom(user as AccountUser)) && user.emailVerified

    return {
      notices: this.#notice(user, 'factor-added', { kind, ...(hasLink && { id: former.id }) }),
      ...(hasLink && { formerEmails: former })
    }
  }

  removed(user: Document, kind: string): Document {
    return { notices: this.#notice(user, 'factor-removed', { kind }) }
  }

  codeUsed(user: Document, left: number): Document {
    return { notices: this.#notice(user, 'recovery-code-used', { left }) }
  }

  codeSpent(hash: string): Document {
    const left = { $setDifference: ['$$this.waysIn.recoveryCodes', [{ $literal: hash }]] }
    const waysIn = { $mergeObjects: ['$$this.waysIn', { recoveryCodes: orNothing(left) }] }

    return {
      formerEmails: orNothing({
        $map: { input: '$formerEmails', in: { $mergeObjects: ['$$this', { waysIn }] } }
      })
    }
  }

  mayRestore(user: Document, id: string): boolean {
    return this.#changes.mayRestore(user as AccountUser, id)
  }

  unchangedLinks(user: Document): Document {
    const { formerEmails = [] } = user as AccountUser

    return formerEmails.length > 0
      ? {
          'formerEmails.id': { $all: formerEmails.map(({ id }) => id) },
          formerEmails: { $size: formerEmails.length }
        }
      : { 'formerEmails.id': { $exists: false } }
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

    return user?.disabled || (id === undefined && !(await this.#limits.allowsNotice(job, user, job.email!)))
      ? undefined
      : this.#composer.compose('factor-added', job.email!, job, user, {
          kind,
          ...(token !== undefined && {
            link: this.#composer.link('keep-email', id!, token),
            minutes: lives.keep / 60_000
          })
        })
  }

  mailOfRemoved(job: StoredJob): Promise<Mail | undefined> {
    return this.#mail('factor-removed', job)
  }

  mailOfCode(job: StoredJob): Promise<Mail | undefined> {
    return this.#mail('recovery-code-used', job)
  }

  async #mail(kind: 'factor-removed' | 'recovery-code-used', job: StoredJob): Promise<Mail | undefined> {
    const user = await this.#users.byId(job.userId!)

    return user?.disabled || !(await this.#limits.allowsNotice(job, user, job.email!))
      ? undefined
      : this.#composer.compose(kind, job.email!, job, user, job.data as unknown as MailData[typeof kind])
  }
}

/** Leaves a field out where there is nothing to make it from. */
const orNothing = (value: Document): Document => ({ $ifNull: [value, '$$REMOVE'] })
