import { ObjectId, type Document } from 'mongodb'
import type { StoredFactor } from '../refresh-token/index.js'
import { factorsOf, type RemovedFactor } from '../refresh-token/internal.js'
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

    if ((await this.#users.isKept(pendingEmail, user)) || (index < 0 && !(await this.makeRoom(user)))) {
      return false
    }

    const { $push, $set } = this.updateTo(user, pendingEmail)
    const $unset = { pendingEmail: '', emailVerification: '', passwordReset: '' }
    const unchanged = index < 0 ? {} : { [`formerEmails.${index}.id`]: user.formerEmails![index]!.id }

    return this.#users
      .update(user, { ...condition, ...unchanged }, { $set, $unset, $push })
      .catch(refusedIfTaken)
  }

  /**
   * Removes what has expired, and the removed factors that only it would have restored. Returns whether another former address
   * fits: none is dropped to make room, since its owner may still revert the change.
   */
  async makeRoom(user: AccountUser): Promise<boolean> {
    const now = new Date(this.#users.now())
    const live = this.#liveOf(user)
    const stale = this.#removedOf(user)
      .map(({ id }) => id)
      .filter((id) => !live.some(({ factors }) => factors?.includes(id)))

    if (live.length < (user.formerEmails?.length ?? 0) || stale.length > 0) {
      const $pull = {
        formerEmails: { expiresAt: { $lte: now } },
        ...(stale.length > 0 && { factors: { id: { $in: stale }, removedKind: { $exists: true } } })
      }

      await this.#users.update(user, {}, { $pull })
    }

    return live.length < mostFormer
  }

  #liveOf({ formerEmails = [] }: AccountUser): FormerEmail[] {
    return formerEmails.filter(({ expiresAt }) => expiresAt.getTime() > this.#users.now())
  }

  #removedOf({ factors }: AccountUser): RemovedFactor[] {
    return this.#users.hasFactors && Array.isArray(factors)
      ? (factors as RemovedFactor[]).filter(({ removedKind }) => removedKind !== undefined)
      : []
  }

  /** Whether a factor is restored by a link that hasn't expired. */
  mayRestore(user: AccountUser, factorId: string): boolean {
    return this.#liveOf(user).some(({ factors }) => factors?.includes(factorId))
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
    const { copiedWaysIn, hasFactors } = this.#users

    return {
      email: this.#users.emailOf(user),
      id: newLinkId(),
      hashes: [],
      tries: 0,
      askedAt: new Date(now),
      expiresAt: new Date(now + lives.keep),
      waysIn: Object.fromEntries(
        copiedWaysIn.flatMap((field) => (field in user ? [[field, user[field]]] : []))
      ),
      ...(hasFactors && { factors: factorsOf(user).map(({ id }) => id) })
    }
  }

  /**
   * Reverts a change of address and any later ones: restores the old address and the ways to sign in of that time, ends
   * all sessions, and removes the password. A reset by mail to the old address sets a new one. Ways in that somebody else has
   * by now stay lost; if the address is, only the sessions end and the password goes.
   *
   * @throws LinkRefused
   */
  async keep(id: string, token: string): Promise<AccountUser> {
    const users = this.#users
    const user = await users.byLink('formerEmails', id)
    const index = user?.formerEmails?.findIndex((candidate) => candidate.id === id) ?? -1
    const former = user?.formerEmails?.[index]

    await users.check(user, 'formerEmails', former, token)

    const { email, waysIn } = former!
    const condition = {
      [`formerEmails.${index}.id`]: id,
      [`formerEmails.${index}.tries`]: { $lt: maxTries },
      disabled: { $ne: true }
    }
    const factors = this.#factorsAt(user!, index)
    const restore = (kept: Document) =>
      users
        .updateAndEndSessions(user!, condition, {
          $set: { [users.emailField]: email, emailVerified: true, ...kept, ...factors },
          $unset: {
            [users.passwordField]: '',
            pendingEmail: '',
            pendingFactor: '',
            emailVerification: '',
            passwordReset: '',
            ...missingIn({ ...kept, ...factors }, users.waysIn)
          },
          // Later addresses may belong to the attacker
          $push: { formerEmails: onlyFirst(index) }
        })
        .catch(refusedIfTaken)

    if (!(await restore(waysIn)) && !(await restore({}))) {
      await users.updateAndEndSessions(user!, condition, { $unset: { [users.passwordField]: '' } })
      throw new LinkRefused('invalid')
    }

    return user!
  }

  /** The field with the factors of a former address, and removed ones that an earlier one may restore; empty without any. */
  #factorsAt({ factors, formerEmails }: AccountUser, index: number): Document {
    const { factors: ids = [] } = formerEmails![index]!
    const earlier = formerEmails!.slice(0, index).flatMap((former) => former.factors ?? [])

    if (!this.#users.hasFactors || !Array.isArray(factors)) {
      return {}
    }

    const kept = (factors as (Partial<StoredFactor> & Partial<RemovedFactor> & { id: string })[]).flatMap(
      (factor) => {
        const { removedKind, kind = removedKind, ...more } = factor
        const isRemoved = removedKind !== undefined && earlier.includes(factor.id)

        return ids.includes(factor.id) ? [{ ...more, kind }] : isRemoved ? [factor] : []
      }
    )

    return kept.length > 0 ? { factors: kept } : {}
  }
}

const missingIn = (kept: Document, fields: string[]): Document =>
  Object.fromEntries(fields.filter((field) => !(field in kept)).map((field) => [field, '']))

const onlyFirst = (count: number): Document => ({ $each: [], $slice: count })

const duplicateKey = 11000 // MongoDB's error code

function refusedIfTaken(error: unknown): false {
  if ((error as { code?: unknown }).code === duplicateKey) {
    return false
  }

  throw error
}
