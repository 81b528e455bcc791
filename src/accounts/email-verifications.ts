import { NotAuthenticated } from '@feathersjs/errors'
import { ObjectId } from 'mongodb'
import type { AccountUser, AccountUsers, Notice } from './account-users.js'
import type { EmailChanges } from './email-changes.js'
import { LinkRefused, newLinkId } from './link-token.js'
import { lives } from './lives.js'
import type { MailLimits } from './mail-limits.js'
import type { Composer } from './mails/composer.js'
import type { Mail } from './mails/mail.js'
import type { Client, StoredJob } from './outbox/job.js'
import type { Outbox } from './outbox/outbox.js'

export interface EmailVerificationsOptions {
  users: AccountUsers
  outbox: Pick<Outbox, 'add'>
  composer: Composer
  limits: MailLimits
  changes: EmailChanges
}

/** The outcome of using a link: the address was verified, or replaced the old one. */
export type Verified = { user: AccountUser; outcome: 'verified' | 'changed' }

/** Verifies the addresses of new accounts, and the new addresses of existing ones. */
export class EmailVerifications {
  readonly #users: AccountUsers
  readonly #outbox: EmailVerificationsOptions['outbox']
  readonly #composer: Composer
  readonly #limits: MailLimits
  readonly #changes: EmailChanges

  constructor({ users, outbox, composer, limits, changes }: EmailVerificationsOptions) {
    this.#users = users
    this.#outbox = outbox
    this.#composer = composer
    this.#limits = limits
    this.#changes = changes
  }

  /**
   * Requests a mail with a link: to an address, if it is the unverified one of an account, or to the pending or
   * unverified address of a user.
   */
  async ask(whose: { email: string } | { userId: string }, by: Client): Promise<void> {
    await this.#outbox.add(
      { kind: 'verify-email', ...whose, by, data: { id: newLinkId() } },
      lives.verification
    )
  }

  /** The mail that a user's request for another address needs, to be stored with it. */
  noticeOfRequest(userId: string, newEmail: string): Notice {
    const data = { id: newLinkId(), newEmail }

    return { _id: new ObjectId(), kind: 'verify-email', userId, by: { userId }, data }
  }

  /** The fields of a new account. They include the mail that verifies its address, which is therefore never lost. */
  ofNewAccount(userId: string, by: Client = {}): { emailVerified: false; notices: Notice[] } {
    const notice = { _id: new ObjectId(), kind: 'verify-email', userId, by, data: { id: newLinkId() } }

    return { emailVerified: false, notices: [notice] }
  }

  /** Sends that mail at once; or tells the owner of a taken address that somebody tried to sign up with it. */
  async askForSignUp(email: string, { notices }: { notices: Notice[] }, isTaken: boolean): Promise<void> {
    const [{ _id, ...verify }] = notices as [Notice]
    const job = isTaken ? { kind: 'already-registered', email } : verify

    await this.#outbox.add(job, lives.notice, _id)
  }

  /** The requested mail; undefined if there is none to send. */
  async mail(job: StoredJob): Promise<Mail | undefined> {
    const { email, userId, data } = job
    const user = await (email === undefined ? this.#users.byId(userId!) : this.#users.byEmail(email))
    const target = user ? this.#target(user, email) : undefined
    // The user has asked for yet another address since
    const isPast = data!.newEmail !== undefined && data!.newEmail !== target

    if (!user || user.disabled || target === undefined || isPast) {
      return undefined
    }
    if (target !== this.#users.emailOf(user)) {
      const owner = await this.#users.byEmail(target)

      if (owner) {
        return this.#alreadyRegistered(owner, job)
      }
    }

    // Before the link is issued: a link that isn't mailed must not replace one that was
    const isAllowed =
      target === this.#users.emailOf(user)
        ? await this.#limits.allowsAsked(job, user)
        : await this.#limits.allowsOther(job, target)

    return isAllowed ? this.#link(user, target, job) : undefined
  }

  /** The mail to the owner of a taken address. */
  async mailOfTaken(job: StoredJob): Promise<Mail | undefined> {
    const owner = await this.#users.byEmail(job.email!)

    return owner ? this.#alreadyRegistered(owner, job) : undefined
  }

  /** The address of a user that a link should verify. */
  #target(user: AccountUser, asked: string | undefined): string | undefined {
    const unverified = user.emailVerified ? undefined : this.#users.emailOf(user)

    return asked === undefined ? (user.pendingEmail ?? unverified) : unverified
  }

  async #alreadyRegistered(owner: AccountUser, job: StoredJob): Promise<Mail | undefined> {
    const email = this.#users.emailOf(owner)

    return !owner.disabled && (await this.#limits.allowsOther(job, email))
      ? this.#composer.compose('already-registered', email, job, owner, {})
      : undefined
  }

  async #link(user: AccountUser, target: string, job: StoredJob): Promise<Mail | undefined> {
    const { data, createdAt } = job
    const id = String(data!.id)
    const token = await this.#users.issue(user, 'emailVerification', {
      id,
      askedAt: createdAt,
      expiresAt: new Date(this.#users.now() + lives.verification),
      email: target
    })

    return token === undefined
      ? undefined
      : this.#composer.compose('verify-email', target, job, user, {
          link: this.#composer.link('verify-email', id, token),
          minutes: lives.verification / 60_000
        })
  }

  /**
   * Verifies the address that a link was mailed to. Only the user of the account can do that: if the owner of the
   * address clicks the link, that must not help somebody else who claimed it.
   *
   * @param isUser Whether the caller is the user, either signed in or with the password
   * @throws LinkRefused; NotAuthenticated if the caller is not the user
   */
  async use(id: string, token: string, isUser: (user: AccountUser) => Promise<boolean>): Promise<Verified> {
    const users = this.#users
    const user = await users.byLink('emailVerification', id)
    const link = user?.emailVerification

    await users.check(user, 'emailVerification', link, token)

    if (link!.email !== users.emailOf(user!) && link!.email !== user!.pendingEmail) {
      throw new LinkRefused('invalid')
    }
    if (!(await isUser(user!))) {
      throw new NotAuthenticated('Sign in, or give the password of the account')
    }

    const isChange = link!.email !== users.emailOf(user!)
    const condition = {
      ...users.usable('emailVerification', link!),
      ...users.sameEmail(user!)
    }
    const done = isChange
      ? await this.#changes.confirm(user!, { ...condition, pendingEmail: link!.email })
      : await users.update(user!, condition, {
          $set: { emailVerified: true },
          $unset: { emailVerification: '' }
        })

    if (!done) {
      throw new LinkRefused('invalid')
    }

    return { user: user!, outcome: isChange ? 'changed' : 'verified' }
  }
}
