import { ObjectId, type Document } from 'mongodb'
import type { AccountUser, AccountUsers, Notice } from './account-users.js'
import { LinkRefused, newLinkId } from './link-token.js'
import { lives } from './lives.js'
import type { MailLimits } from './mail-limits.js'
import type { Composer } from './mails/composer.js'
import type { Mail } from './mails/mail.js'
import type { Client, StoredJob } from './outbox/job.js'
import type { Outbox } from './outbox/outbox.js'

export interface PasswordResetsOptions {
  users: AccountUsers
  outbox: Pick<Outbox, 'add'>
  composer: Composer
  limits: MailLimits
  /** Whether links are mailed, so that using one proves the address; otherwise an operator hands them over. */
  isMailed: boolean
}

/** Password resets by mail. */
export class PasswordResets {
  readonly #users: AccountUsers
  readonly #outbox: PasswordResetsOptions['outbox']
  readonly #composer: Composer
  readonly #limits: MailLimits
  readonly #isMailed: boolean

  constructor({ users, outbox, composer, limits, isMailed }: PasswordResetsOptions) {
    this.#users = users
    this.#outbox = outbox
    this.#composer = composer
    this.#limits = limits
    this.#isMailed = isMailed
  }

  /** Requests a mail with a link. Takes the same work whether or not an account has that address. */
  async ask(email: string, by: Client = {}): Promise<void> {
    await this.#outbox.add(
      { kind: 'password-reset', email, by, data: { id: newLinkId() } },
      lives.passwordReset
    )
  }

  /** The same as by a user, to be stored with a change that makes a new password necessary. */
  noticeToChoose(userId: string, email: string): Notice {
    const data = { id: newLinkId() }

    return { _id: new ObjectId(), kind: 'password-reset', email, by: { userId }, data }
  }

  /** The requested mail; undefined if there is none to send. */
  async mail(job: StoredJob): Promise<Mail | undefined> {
    const { email, data, createdAt } = job
    const user = await this.#users.byEmail(email!)

    // Before the link is issued: a link that isn't mailed must not replace one that was
    if (!user || user.disabled || !(await this.#limits.allowsAsked(job, user))) {
      return undefined
    }

    const link = await this.#issue(user, String(data!.id), createdAt)

    return link === undefined
      ? undefined
      : this.#composer.compose('password-reset', this.#users.emailOf(user), job, user, {
          link,
          minutes: lives.passwordReset / 60_000
        })
  }

  /** The mail about a changed password, to be stored with the change. */
  noticeOfChange(user: AccountUser): Notice {
    const [email, userId] = [this.#users.emailOf(user), this.#users.idOf(user)]

    return { _id: new ObjectId(), kind: 'password-changed', email, userId }
  }

  /** The mail to the address at the time of the change: an attacker may have changed the address since. */
  async mailOfChange(job: StoredJob): Promise<Mail | undefined> {
    const user = await this.#users.byId(job.userId!)

    return user?.disabled || !(await this.#limits.allowsNotice(job, user, job.email!))
      ? undefined
      : this.#composer.compose('password-changed', job.email!, job, user, {})
  }

  /** A link that lets a user choose a new password, for an operator to hand over. */
  async link(user: AccountUser): Promise<string> {
    return (await this.#issue(user, newLinkId(), new Date(this.#users.now())))!
  }

  async #issue(user: AccountUser, id: string, askedAt: Date): Promise<string | undefined> {
    const token = await this.#users.issue(user, 'passwordReset', {
      id,
      askedAt,
      expiresAt: new Date(this.#users.now() + lives.passwordReset),
      // The link is invalid once either has changed
      email: this.#users.emailOf(user),
      password: this.#users.passwordDigest(user)
    })

    return token && this.#composer.link('password-reset', id, token)
  }

  /**
   * Sets a new password, ends all sessions and, if it was mailed, verifies the address. Of many concurrent uses of a link, one succeeds.
   *
   * @param hash Hashes the new password; called once the link has been checked
   * @returns The user as it was before
   * @throws LinkRefused
   */
  async use(id: string, token: string, hash: (user: AccountUser) => Promise<string>): Promise<AccountUser> {
    const users = this.#users
    const user = await users.byLink('passwordReset', id)
    const reset = user?.passwordReset

    await users.check(user, 'passwordReset', reset, token)

    if (reset!.email !== users.emailOf(user!) || reset!.password !== users.passwordDigest(user!)) {
      throw new LinkRefused('invalid')
    }

    const { passwordField } = users
    const { [passwordField]: _password, ...left } = this.#isMailed ? users.proved(user!) : {}
    const set: Document = {
      [passwordField]: await hash(user!),
      ...(this.#isMailed && { emailVerified: true })
    }
    const done = await users.updateAndEndSessions(
      user!,
      {
        ...users.usable('passwordReset', reset!),
        [users.emailField]: reset!.email,
        [passwordField]: user![passwordField] ?? null,
        emailVerified: user!.emailVerified ?? null
      },
      {
        $set: set,
        // Whoever got into the account may have asked for another address
        $unset: {
          ...left,
          passwordReset: '',
          pendingEmail: '',
          emailVerification: '',
          newPasswordNeeded: ''
        },
        ...(this.#isMailed && { $push: { notices: this.noticeOfChange(user!) } })
      }
    )

    if (!done) {
      throw new LinkRefused('invalid')
    }

    return user!
  }
}
