import { ObjectId, type Document } from 'mongodb'
import type { AccountUser, AccountUsers, FormerEmail, Notice } from './account-users.js'
import { LinkRefused, maxTries, newLinkId, newToken } from './link-token.js'
import { lives } from './lives.js'
import type { MailLimits } from './mail-limits.js'
import type { Composer } from './mails/composer.js'
import type { Mail } from './mails/mail.js'
import type { StoredJob } from './outbox/job.js'

export interface EmailChangesOptions {
  users: AccountUsers
  composer: Composer
  limits: MailLimits
}

const mostFormer = 10 // changes of address in a week: nobody needs more

/** Changes of address. The owner of the old address is notified, and can revert the change. */
export class EmailChanges {
  readonly #users: AccountUsers
  readonly #composer: Composer
  readonly #limits: MailLimits

  constructor({ users, composer, limits }: EmailChangesOptions) {
    this.#users = users
    this.#composer = composer
    this.#limits = limits
  }

  /** The mail to the current address about a requested change, to be stored with the request. */
  noticeOfRequest(user: AccountUser, newEmail: string): Notice {
    const [email, userId] = [this.#users.emailOf(user), this.#users.idOf(user)]

    return { _id: new ObjectId(), kind: 'email-changing', email, userId, data: { newEmail } }
  }

  async mailOfRequest(job: StoredJob): Promise<Mail | undefined> {
    const { newEmail } = job.data as { newEmail: string }
    const user = await this.#users.byId(job.userId!)

    return user?.disabled || !(await this.#limits.allowsNotice(job, user, job.email!))
      ? undefined
      : this.#composer.compose('email-changing', job.email!, job, user, { newEmail })
  }

  /** The mail to the old address; with a link that reverts the change, if that address was verified. */
  async mailOfChange(job: StoredJob): Promise<Mail | undefined> {
    const { id, ...addresses } = job.data as { id?: string; oldEmail: string; newEmail: string }
    const user = await this.#users.byId(job.userId!)
    const token = user && id !== undefined ? await this.issue(user, id) : undefined

    // There are few links, and the owner needs each of them
    if (user?.disabled || (id === undefined && !(await this.#limits.allowsNotice(job, user, job.email!)))) {
      return undefined
    }

    return this.#composer.compose('email-changed', job.email!, job, user, {
      ...addresses,
      ...(token !== undefined && {
        link: this.#composer.link('keep-email', id!, token),
        minutes: lives.keep / 60_000
      })
    })
  }

  /** A new token of the link; undefined if the change has already been reverted. */
  async issue(user: AccountUser, id: string): Promise<string | undefined> {
    const { token, hash } = newToken()
    const isThere = await this.#users.update(
      user,
      { 'formerEmails.id': id },
      { $push: { 'formerEmails.$.hashes': hash } }
    )

    return isThere ? token : undefined
  }

  /**
   * Replaces the address with the pending one.
   *
   * @param condition What the document must match, including `pendingEmail`
   * @returns Whether it did; false if the address has been taken in the meantime
   */
  async confirm(user: AccountUser, condition: Document & { pendingEmail: string }): Promise<boolean> {
    const { pendingEmail } = condition
    const index = this.#indexOf(user, pendingEmail)

    if ((await this.#users.isKept(pendingEmail, user)) || (index < 0 && !(await this.#makeRoom(user)))) {
      return false
    }

    const { $push, $set } = this.updateTo(user, pendingEmail)
    const $unset = { pendingEmail: '', emailVerification: '', passwordReset: '' }
    const unchanged = index < 0 ? {} : { [`formerEmails.${index}.id`]: user.formerEmails![index]!.id }

    return this.#users
      .update(user, { ...condition, ...unchanged }, { $set, $unset, $push })
      .catch(refusedIfTaken)
  }

  /** Whether another former address fits. None is dropped to make room: its owner may still revert the change. */
  hasRoom({ formerEmails = [] }: AccountUser): boolean {
    return formerEmails.filter(({ expiresAt }) => expiresAt.getTime() > this.#users.now()).length < mostFormer
  }

  async #makeRoom(user: AccountUser): Promise<boolean> {
    const now = new Date(this.#users.now())

    if (user.formerEmails?.some(({ expiresAt }) => expiresAt <= now)) {
      await this.#users.update(user, {}, { $pull: { formerEmails: { expiresAt: { $lte: now } } } })
    }

    return this.hasRoom(user)
  }

  /**
   * The update that changes the address of a user. The old one is kept for a while, and notified; but not by a user who
   * goes back to a former address, since those after it may belong to an attacker.
   *
   * @param tellsNew Whether to notify the new address too, because its owner didn't ask for the change
   */
  updateTo(
    user: AccountUser,
    newEmail: string,
    tellsNew = false
  ): { $set: Document; $push: { notices: { $each: Notice[] }; formerEmails?: FormerEmail | Document } } {
    const users = this.#users
    const email = users.emailOf(user)
    const former = this.former(user)
    const index = this.#indexOf(user, newEmail)
    // An address that was never verified may belong to a stranger, who must not get into the account
    const isKept = user.emailVerified === true && index < 0
    const notice = (to: string, data: object): Notice => ({
      _id: new ObjectId(),
      kind: 'email-changed',
      email: to,
      userId: users.idOf(user),
      data: { oldEmail: email, newEmail, ...data }
    })

    return {
      $set: { [users.emailField]: newEmail, emailVerified: true },
      $push: {
        ...(isKept && { formerEmails: former }),
        ...(index >= 0 && { formerEmails: onlyFirst(index) }),
        notices: {
          $each: [notice(email, isKept ? { id: former.id } : {}), ...(tellsNew ? [notice(newEmail, {})] : [])]
        }
      }
    }
  }

  /** Where an address is among the former ones of a user that can still be restored; -1 if it is not. */
  #indexOf({ formerEmails = [] }: AccountUser, email: string): number {
    return formerEmails.findLastIndex(
      (former) =>
        former.email.toLowerCase() === email.toLowerCase() && former.expiresAt.getTime() > this.#users.now()
    )
  }

  /** What is kept of an account as it is, for its owner to go back to. */
  former(user: AccountUser): FormerEmail {
    const now = this.#users.now()
    const { waysIn } = this.#users

    return {
      email: this.#users.emailOf(user),
      id: newLinkId(),
      hashes: [],
      tries: 0,
      askedAt: new Date(now),
      expiresAt: new Date(now + lives.keep),
      waysIn: Object.fromEntries(waysIn.flatMap((field) => (field in user ? [[field, user[field]]] : [])))
    }
  }

  /**
   * Reverts a change of address and any later ones: restores the old address and the ways to sign in of that time, ends
   * all sessions, and removes the password. A reset by mail to the old address sets a new one.
   *
   * @throws LinkRefused
   */
  async keep(id: string, token: string): Promise<AccountUser> {
    const users = this.#users
    const user = await users.byLink('formerEmails', id)
    const index = user?.formerEmails?.findIndex((candidate) => candidate.id === id) ?? -1
    const former = user?.formerEmails?.[index]

    await users.check(user, 'formerEmails', former, token)

    const { email, waysIn: kept } = former!
    const added = users.waysIn.filter((field) => !(field in kept)).map((field) => [field, ''])
    const done = await users
      .updateAndEndSessions(
        user!,
        {
          [`formerEmails.${index}.id`]: id,
          [`formerEmails.${index}.tries`]: { $lt: maxTries },
          disabled: { $ne: true }
        },
        {
          $set: { [users.emailField]: email, emailVerified: true, ...kept },
          $unset: {
            [users.passwordField]: '',
            pendingEmail: '',
            pendingFactor: '',
            emailVerification: '',
            passwordReset: '',
            ...Object.fromEntries(added)
          },
          // Later addresses may belong to the attacker
          $push: { formerEmails: onlyFirst(index) }
        }
      )
      .catch(refusedIfTaken)

    if (!done) {
      throw new LinkRefused('invalid')
    }

    return user!
  }
}

const onlyFirst = (count: number): Document => ({ $each: [], $slice: count })

const duplicateKey = 11000 // MongoDB's error code

function refusedIfTaken(error: unknown): false {
  if ((error as { code?: unknown }).code === duplicateKey) {
    return false
  }

  throw error
}
