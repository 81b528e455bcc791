import { ObjectId, type Document } from 'mongodb'
import {
  waysIn,
  type AccountUser,
  type AccountUsers,
  type FormerEmail,
  type Notice
} from './account-users.js'
import { LinkRefused, maxTries, newLinkId, newToken } from './link-token.js'
import { lives } from './lives.js'
import type { Composer } from './mails/composer.js'
import type { Mail } from './mails/mail.js'
import type { StoredJob } from './outbox/job.js'
import type { Outbox } from './outbox/outbox.js'

export interface EmailChangesOptions {
  users: AccountUsers
  outbox: Pick<Outbox, 'add'>
  composer: Composer
}

const mostFormer = 10 // changes of address in a week: more than anybody makes

/** Changes of address, which the owner of the old one is told of and can take back. */
export class EmailChanges {
  readonly #users: AccountUsers
  readonly #outbox: EmailChangesOptions['outbox']
  readonly #composer: Composer

  constructor({ users, outbox, composer }: EmailChangesOptions) {
    this.#users = users
    this.#outbox = outbox
    this.#composer = composer
  }

  /** Tells the present address of a user about the one that is to take its place. */
  async announce(userId: string): Promise<void> {
    await this.#outbox.add({ kind: 'email-changing', userId }, lives.notice)
  }

  async mailOfAnnouncement(job: StoredJob): Promise<Mail | undefined> {
    const user = await this.#users.byId(job.userId!)

    return user?.pendingEmail === undefined || user.disabled
      ? undefined
      : this.#composer.compose('email-changing', this.#users.emailOf(user), job, user, {
          newEmail: user.pendingEmail
        })
  }

  /** To the old address of an account: with a link that takes the change back, if that address was verified. */
  async mailOfChange(job: StoredJob): Promise<Mail | undefined> {
    const { id, ...addresses } = job.data as { id?: string; oldEmail: string; newEmail: string }
    const user = await this.#users.byId(job.userId!)
    const token = user && id !== undefined ? await this.issue(user, id) : undefined

    if (user?.disabled) {
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

  /** Undefined if the change has been taken back already. */
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
   * Puts the pending address in the place of the old one.
   *
   * @param condition What the document has to be like, `pendingEmail` included
   * @returns Whether it did: not if the address has been taken meanwhile
   */
  async confirm(user: AccountUser, condition: Document & { pendingEmail: string }): Promise<boolean> {
    const { pendingEmail } = condition

    if ((await this.#users.isKept(pendingEmail)) || !(await this.#hasRoom(user))) {
      return false
    }

    const { $push, $set } = this.updateTo(user, pendingEmail)
    const $unset = { pendingEmail: '', emailVerification: '', passwordReset: '' }

    return this.#users.update(user, condition, { $set, $unset, $push }).catch(refusedIfTaken)
  }

  /** Whether another former address can be kept. None is dropped for it: its owner may still take the change back. */
  async #hasRoom({ formerEmails = [], ...user }: AccountUser): Promise<boolean> {
    const now = new Date(this.#users.now())
    const over = { expiresAt: { $lte: now } }

    if (formerEmails.some(({ expiresAt }) => expiresAt <= now)) {
      await this.#users.update(user, {}, { $pull: { formerEmails: over } })
    }

    return formerEmails.filter(({ expiresAt }) => expiresAt > now).length < mostFormer
  }

  /**
   * The update that changes the address of a user. The old one is remembered for a while, and told.
   *
   * @param tellsNew Whether the new one is told, too: its owner has not asked for the change
   */
  updateTo(
    user: AccountUser,
    newEmail: string,
    tellsNew = false
  ): { $set: Document; $push: { notices: { $each: Notice[] }; formerEmails?: FormerEmail } } {
    const users = this.#users
    const email = users.emailOf(user)
    const former = this.former(user)
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
        // Who owns an address that was never verified may be a stranger, who must not get a way in
        ...(user.emailVerified && { formerEmails: former }),
        notices: {
          $each: [
            notice(email, user.emailVerified ? { id: former.id } : {}),
            ...(tellsNew ? [notice(newEmail, {})] : [])
          ]
        }
      }
    }
  }

  /** What is kept of an account as it is, for its owner to go back to. */
  former(user: AccountUser): FormerEmail {
    const now = this.#users.now()

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
   * Takes a change of address back, and any later ones: puts back the old address and the ways in of then, ends all
   * sessions, and voids the password, which a reset by mail to the old address replaces.
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
    const added = waysIn.filter((field) => !(field in kept)).map((field) => [field, ''])
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
          // Later ones may be addresses of whoever took the account over
          $push: { formerEmails: { $each: [], $slice: index } }
        }
      )
      .catch(refusedIfTaken)

    if (!done) {
      throw new LinkRefused('invalid')
    }

    return user!
  }
}

const duplicateKey = 11000 // MongoDB's error code

function refusedIfTaken(error: unknown): false {
  if ((error as { code?: unknown }).code === duplicateKey) {
    return false
  }

  throw error
}
