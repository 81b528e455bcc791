import { randomBytes, randomInt, timingSafeEqual } from 'node:crypto'
import type { Collection } from 'mongodb'
import { Refused } from '../refresh-token/index.js'
import { durable } from '../refresh-token/internal.js'
import type { AccountUser, AccountUsers } from './account-users.js'
import { hashOf, maxTries } from './link-token.js'
import { lives } from './lives.js'
import type { Composer } from './mails/composer.js'
import type { Mail } from './mails/mail.js'
import type { MayMail } from './may-mail.js'
import type { StoredJob } from './outbox/job.js'
import type { Outbox } from './outbox/outbox.js'

/** A code that was asked for. Useless to who reads it here: only whoever asked knows the id, which is stored as a hash. */
interface StoredCode {
  /** Hash of the id. */
  _id: string
  /** Hash of the id and the code together. */
  hash: string
  email: string
  tries: number
  expiresAt: Date
  usedAt?: Date
  /** The account that the code was mailed to, and its password then; missing if it was mailed to nobody. */
  userId?: string
  password?: string
}

export interface SignInCodesOptions {
  users: AccountUsers
  outbox: Pick<Outbox, 'add'>
  composer: Composer
  mayMail: MayMail
  limitGuesses: LimitGuesses
}

/** Makes a guess at a code for an address, unless too many were wrong. A wrong one throws a 401. */
export type LimitGuesses = (email: string, guess: () => Promise<void>) => Promise<void>

const collectionName = 'signInCodes'
const digits = 6

/** Codes that sign in, mailed to an address and bound to whoever asked. */
export class SignInCodes {
  readonly #users: AccountUsers
  readonly #outbox: SignInCodesOptions['outbox']
  readonly #composer: Composer
  readonly #mayMail: MayMail
  readonly #limitGuesses: LimitGuesses
  #collection: Promise<Collection<StoredCode>> | undefined

  constructor({ users, outbox, composer, mayMail, limitGuesses }: SignInCodesOptions) {
    this.#users = users
    this.#outbox = outbox
    this.#composer = composer
    this.#mayMail = mayMail
    this.#limitGuesses = limitGuesses
  }

  /** Asks for a code: the same work whoever has that address, if anybody. Returns the id that the code is good with. */
  async ask(email: string): Promise<string> {
    const id = randomBytes(24).toString('base64url')
    const code = String(randomInt(10 ** digits)).padStart(digits, '0')
    const codes = await this.#open()

    await codes.insertOne(
      {
        _id: hashOf(id),
        hash: hashOf(`${id} ${code}`),
        email: email.toLowerCase(),
        tries: 0,
        expiresAt: new Date(this.#users.now() + lives.code)
      },
      durable
    )
    // In plain, until it is sent: it is of no use without the id
    await this.#outbox.add({ kind: 'sign-in-code', email, data: { code, of: hashOf(id) } }, lives.code)
    return id
  }

  /** The mail with a code; undefined if nobody is to get one. */
  async mail(job: StoredJob): Promise<Mail | undefined> {
    const { email, data } = job
    const { code, of } = data as { code: string; of: string }
    const user = await this.#users.byEmail(email!)

    if (!user || user.disabled || !(await this.#mayMail(job, this.#users.emailOf(user), user))) {
      return undefined
    }

    const codes = await this.#open()

    await codes.updateOne(
      { _id: of },
      { $set: { userId: this.#users.idOf(user), password: this.#users.passwordDigest(user) } },
      durable
    )

    return this.#composer.compose('sign-in-code', this.#users.emailOf(user), job, user, {
      code,
      minutes: lives.code / 60_000
    })
  }

  /**
   * Uses a code: each try is counted before the code is compared, and of many right ones at once, one succeeds. Whoever
   * has the code has proved the address.
   *
   * @returns The user, as it is stored now
   * @throws Refused `invalid`; `expired` if it is late, used, or tried too often; `disabled`
   */
  async use(id: string, code: string): Promise<AccountUser> {
    const codes = await this.#open()
    const _id = hashOf(id)
    const open = { _id, tries: { $lt: maxTries }, expiresAt: { $gt: new Date(this.#users.now()) } }
    const tried = await codes.findOneAndUpdate(
      { ...open, usedAt: { $exists: false } },
      { $inc: { tries: 1 } },
      { returnDocument: 'after', ...durable }
    )

    if (!tried) {
      throw new Refused((await codes.findOne({ _id })) ? 'expired' : 'invalid')
    }

    await this.#limitGuesses(tried.email, async () => {
      if (!timingSafeEqual(Buffer.from(tried.hash), Buffer.from(hashOf(`${id} ${code}`)))) {
        throw new Refused('invalid')
      }
    })

    const { matchedCount } = await codes.updateOne(
      { _id, usedAt: { $exists: false } },
      { $set: { usedAt: new Date(this.#users.now()) } },
      durable
    )

    if (matchedCount === 0) {
      throw new Refused('expired')
    }

    return this.#prove(await this.#owner(tried))
  }

  /** @throws Refused `expired` if the password or the address is another one now; `disabled` */
  async #owner({ userId, email, password }: StoredCode): Promise<AccountUser> {
    const user = userId === undefined ? null : await this.#users.byId(userId)

    if (user?.disabled) {
      throw new Refused('disabled')
    }
    if (
      !user ||
      this.#users.emailOf(user).toLowerCase() !== email ||
      this.#users.passwordDigest(user) !== password
    ) {
      throw new Refused('expired')
    }

    return user
  }

  async #prove(user: AccountUser): Promise<AccountUser> {
    const users = this.#users

    if (user.emailVerified) {
      return user
    }

    const done = await users.updateAndEndSessions(
      user,
      { [users.emailField]: users.emailOf(user), emailVerified: { $ne: true }, disabled: { $ne: true } },
      { $set: { emailVerified: true }, $unset: users.proved(user) }
    )
    const proved = done ? await users.byId(users.idOf(user)) : null

    if (!proved) {
      throw new Refused('expired')
    }

    return proved
  }

  /** Opens the collection and makes its index; if that fails, the next call tries again. */
  #open(): Promise<Collection<StoredCode>> {
    this.#collection ??= this.#make()

    return this.#collection.catch((error: unknown) => {
      this.#collection = undefined
      throw error
    })
  }

  async #make(): Promise<Collection<StoredCode>> {
    const users = (await this.#users.collection()) as unknown as Collection
    const codes = users.db.collection<StoredCode>(collectionName)

    // Kept for another day, in which it is known to have expired
    await codes.createIndex({ expiresAt: 1 }, { expireAfterSeconds: 24 * 60 * 60 })
    return codes
  }
}
