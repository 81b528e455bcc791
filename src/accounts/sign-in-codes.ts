import { randomBytes, randomInt, timingSafeEqual } from 'node:crypto'
import type { Collection } from 'mongodb'
import { Refused } from '../refresh-token/index.js'
import { doneOnce, durable } from '../refresh-token/internal.js'
import type { AccountUser, AccountUsers } from './account-users.js'
import { hashOf, maxTries } from './link-token.js'
import { lives } from './lives.js'
import type { MailLimits } from './mail-limits.js'
import type { Composer } from './mails/composer.js'
import type { Mail } from './mails/mail.js'
import type { Client, StoredJob } from './outbox/job.js'
import type { Outbox } from './outbox/outbox.js'

/** A requested code. Useless to somebody who reads the database: the id is known to the requester only. */
interface StoredCode {
  /** The hash of the id. */
  _id: string
  /** The hash of the id and the code together. */
  hash: string
  email: string
  tries: number
  expiresAt: Date
  usedAt?: Date
  /** The account that the code was mailed to, and a digest of its password then; missing if there was no account. */
  userId?: string
  password?: string
}

export interface SignInCodesOptions {
  users: AccountUsers
  outbox: Pick<Outbox, 'add'>
  composer: Composer
  limits: MailLimits
  limitGuesses: LimitGuesses
}

/** Makes a guess at a code, unless there were too many wrong ones under that key. A wrong guess throws a 401. */
export type LimitGuesses = (key: string, guess: () => Promise<void>) => Promise<void>

const collectionName = 'signInCodes'
const digits = 6

/** Codes to sign in with, mailed to an address and bound to the client that requested them. */
export class SignInCodes {
  readonly #users: AccountUsers
  readonly #outbox: SignInCodesOptions['outbox']
  readonly #composer: Composer
  readonly #limits: MailLimits
  readonly #limitGuesses: LimitGuesses
  readonly #open = doneOnce(() => this.#make())

  constructor({ users, outbox, composer, limits, limitGuesses }: SignInCodesOptions) {
    this.#users = users
    this.#outbox = outbox
    this.#composer = composer
    this.#limits = limits
    this.#limitGuesses = limitGuesses
  }

  /**
   * Requests a code, with the same work whether or not there is an account. Returns the id that the code works with.
   */
  async ask(email: string, by: Client = {}): Promise<string> {
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
    // In plain text until it is sent: it is useless without the id
    await this.#outbox.add({ kind: 'sign-in-code', email, by, data: { code, of: hashOf(id) } }, lives.code)
    return id
  }

  /** The mail with a code; undefined if there is none to send. */
  async mail(job: StoredJob): Promise<Mail | undefined> {
    const { email, data } = job
    const { code, of } = data as { code: string; of: string }
    const user = await this.#users.byEmail(email!)

    if (!user || user.disabled || !(await this.#limits.allowsAsked(job, user))) {
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
      // Less than ten if the mail had to wait
      minutes: Math.max(1, Math.ceil((job.createdAt.getTime() + lives.code - this.#users.now()) / 60_000))
    })
  }

  /**
   * Uses a code, which also verifies the address. Each try is counted before the code is compared, and of many correct
   * concurrent tries, one succeeds.
   *
   * @returns The user as stored now
   * @throws Refused `invalid`; `expired` if the code has expired, was used, or was tried too often; `disabled`
   */
  async use(id: string, code: string, by: Client = {}): Promise<AccountUser> {
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

    await this.#limitGuesses(await this.#keyOf(tried, by), async () => {
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

  /** What a guess is counted under: each client that the account knows apart, so that strangers can't use up its tries. */
  async #keyOf({ email, userId }: StoredCode, by: Client): Promise<string> {
    const known = await this.#limits.knownAs(userId ?? email, by)

    return known === undefined ? email : `${email} ${known}`
  }

  /** @throws Refused `expired` if the password or the address has changed; `disabled` */
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

  /** Opens the collection and creates its index. */
  async #make(): Promise<Collection<StoredCode>> {
    const users = (await this.#users.collection()) as unknown as Collection
    const codes = users.db.collection<StoredCode>(collectionName)

    // Kept for another day, so that a late try is answered with `expired`
    await codes.createIndex({ expiresAt: 1 }, { expireAfterSeconds: 24 * 60 * 60 })
    return codes
  }
}
