import type { Collection, CollationOptions, Document, ObjectId } from 'mongodb'
import { factorFields, type AuthenticationService } from '../refresh-token/index.js'
import { durable, reach } from '../refresh-token/internal.js'
import { LinkRefused, digestOf, matches, maxTries, newToken, type StoredLink } from './link-token.js'
import type { Job } from './outbox/job.js'

/** An address that an account had, whose owner may take the change back. */
export interface FormerEmail extends StoredLink {
  email: string
  /** The other ways in that the account had then. */
  waysIn: Document
}

/** A mail about a change, stored in the same update as the change, until it is in the outbox. */
export interface Notice extends Job {
  _id: ObjectId
}

/** What is stored about an account, besides what the app stores. */
export interface AccountFields {
  emailVerified?: boolean
  /** The address that is to take the place of the present one, once it is verified. */
  pendingEmail?: string
  passwordReset?: StoredLink & { email: string; password: string }
  emailVerification?: StoredLink & { email: string }
  formerEmails?: FormerEmail[]
  notices?: Notice[]
}

/** A stored user, without sessions. */
export interface AccountUser extends Document, AccountFields {
  _id: ObjectId
  disabled?: boolean
}

/** The fields that nobody is shown. */
export const hiddenFields = ['passwordReset', 'emailVerification', 'formerEmails', 'notices'] as const

/** The fields by which users are looked up; each needs an index of those documents that have it. */
export const indexedFields = [
  'passwordReset.id',
  'emailVerification.id',
  'formerEmails.id',
  'formerEmails.email',
  'notices._id'
] as const

/** The fields with ways in, besides the password: linked OAuth accounts and further factors. */
export const waysIn = ['identities', 'factors', 'recoveryCodes']

/** What somebody who claimed an address before its owner may have left on the account. */
const leftBehind = [
  ...waysIn,
  'pendingFactor',
  'passkeyHandle',
  'pendingEmail',
  'emailVerification',
  'passwordReset',
  'formerEmails'
]

export interface AccountUsersOptions {
  authentication: AuthenticationService
  /** Of the unique index on the address. */
  collation?: CollationOptions | undefined
  /** Whether a token of another package has a hash that it stored. */
  matchesPrevious?: ((token: string, hash: string) => Promise<boolean>) | undefined
  /** ms since 1970 */
  now: () => number
}

type LinkField = 'passwordReset' | 'emailVerification'

/** The user documents, as far as accounts by mail are concerned. Each change is one atomic update. */
export class AccountUsers {
  readonly #authentication: AuthenticationService
  readonly #collation: CollationOptions | undefined
  readonly #matchesPrevious: AccountUsersOptions['matchesPrevious']
  readonly now: () => number

  constructor({ authentication, collation, matchesPrevious, now }: AccountUsersOptions) {
    this.#authentication = authentication
    this.#collation = collation
    this.#matchesPrevious = matchesPrevious
    this.now = now
  }

  readonly collection = (): Promise<Collection<AccountUser>> => {
    const { app, configuration } = this.#authentication
    const service = app.service(configuration.service!) as unknown as {
      getModel(): Promise<Collection<AccountUser>>
    }

    return service.getModel()
  }

  /** The name of the field that holds the address. */
  get emailField(): string {
    const { local } = this.#authentication.configuration

    return local?.entityUsernameField ?? local?.usernameField ?? 'email'
  }

  /** The name of the field that holds the password's hash. */
  get passwordField(): string {
    const { local } = this.#authentication.configuration

    return local?.entityPasswordField ?? local?.passwordField ?? 'password'
  }

  /** The id of a user in tokens and events. */
  idOf(user: AccountUser): string {
    return String(user[this.#authentication.configuration.entityId ?? '_id'])
  }

  emailOf(user: AccountUser): string {
    return String(user[this.emailField])
  }

  /** A value that is another one as soon as the password is; never tells the hash. */
  passwordDigest(user: AccountUser): string {
    return digestOf(user[this.passwordField])
  }

  /** What others may know of a user: without password, sessions, links and ways in. */
  shown(user: Document): Document {
    const kept = [
      this.#authentication.settings.sessionsField,
      this.passwordField,
      ...hiddenFields,
      ...factorFields,
      ...waysIn
    ]

    return Object.fromEntries(Object.entries(user).filter(([field]) => !kept.includes(field)))
  }

  async byEmail(email: string): Promise<AccountUser | null> {
    // The collation may find addresses that differ in more than case. A mail goes to the stored address only
    return this.#find({ [this.emailField]: { $in: inAnyCase(email) } }, this.#collation)
  }

  async byId(userId: string): Promise<AccountUser | null> {
    return this.#find(this.#is(userId))
  }

  async byLink(field: LinkField | 'formerEmails', id: string): Promise<AccountUser | null> {
    return this.#find({ [`${field}.id`]: id })
  }

  /** Whether an address is one that its owner may still take back. */
  async isKept(email: string): Promise<boolean> {
    const isSame = { $in: inAnyCase(email) }
    const isLive = { email: isSame, expiresAt: { $gt: new Date(this.now()) } }
    // By itself, $elemMatch would not use the index
    const kept = { 'formerEmails.email': isSame, formerEmails: { $elemMatch: isLive } }

    return (await this.#find(kept)) !== null
  }

  /**
   * Gives a link another token: at each attempt to mail it, since no token is stored that could be mailed again.
   *
   * @param link What is stored of it besides
   * @returns The token; undefined if a newer link has taken its place
   */
  async issue(
    user: AccountUser,
    field: LinkField,
    link: Pick<StoredLink, 'id' | 'askedAt' | 'expiresAt'> & Record<string, unknown>
  ): Promise<string | undefined> {
    const { token, hash } = newToken()
    const users = await this.collection()
    const again = await users.updateOne(
      { _id: user._id, [`${field}.id`]: link.id },
      { $push: { [`${field}.hashes`]: hash } } as Document,
      durable
    )

    if (again.matchedCount === 1) {
      return token
    }

    const { matchedCount } = await users.updateOne(
      {
        _id: user._id,
        $or: [{ [field]: null }, { [`${field}.askedAt`]: { $lte: link.askedAt } }]
      },
      { $set: { [field]: { ...link, hashes: [hash], tries: 0 } } },
      durable
    )

    return matchedCount === 1 ? token : undefined
  }

  /**
   * Checks a link that was found by its id. A wrong token is counted; the fifth makes the link void.
   *
   * @throws LinkRefused
   */
  async check(
    user: AccountUser | null,
    field: LinkField | 'formerEmails',
    link: StoredLink | undefined,
    token: string
  ): Promise<void> {
    if (!user || !link) {
      throw new LinkRefused('invalid')
    }
    if (link.tries >= maxTries || !(matches(link, token) || (await this.#isPrevious(link, token)))) {
      const users = await this.collection()
      const tries = field === 'formerEmails' ? 'formerEmails.$.tries' : `${field}.tries`

      await users.updateOne({ _id: user._id, [`${field}.id`]: link.id }, { $inc: { [tries]: 1 } }, durable)
      throw new LinkRefused('invalid')
    }
    if (link.expiresAt.getTime() <= this.now()) {
      throw new LinkRefused('expired')
    }
  }

  async #isPrevious({ previous }: StoredLink, token: string): Promise<boolean> {
    return (
      previous !== undefined && this.#matchesPrevious !== undefined && this.#matchesPrevious(token, previous)
    )
  }

  /** The conditions under which a link that was checked may still be used. */
  usable(field: LinkField, link: StoredLink): Document {
    return { [`${field}.id`]: link.id, [`${field}.tries`]: { $lt: maxTries }, disabled: { $ne: true } }
  }

  /** One conditional update, which ends no session. Returns whether it was made. */
  async update(user: AccountUser, condition: Document, update: Document): Promise<boolean> {
    const users = await this.collection()
    const { matchedCount } = await users.updateOne({ _id: user._id, ...condition }, update, durable)

    // What is in memory here must not answer once this has been answered
    this.#authentication.live.cache.forget(this.idOf(user))
    return matchedCount === 1
  }

  /** One conditional update that ends all sessions of the user. Returns whether it was made. */
  async updateAndEndSessions(user: AccountUser, condition: Document, update: Document): Promise<boolean> {
    const ended = await this.#authentication.sessions.endAll(this.idOf(user), 'password', {
      update,
      unchanged: condition
    })

    return ended !== null
  }

  /**
   * What is unset when the owner of an address proves it. On an account whose address nobody had proved before, that is
   * all that others may have left there, so that nobody can wait in it for the owner.
   */
  proved(user: AccountUser): Document {
    const fields = user.emailVerified ? [] : [this.passwordField, ...leftBehind]

    return Object.fromEntries(fields.map((field) => [field, '']))
  }

  async makeIndexes(): Promise<void> {
    const users = await this.collection()

    for (const field of indexedFields) {
      await users.createIndex({ [field]: 1 }, { partialFilterExpression: { [field]: { $exists: true } } })
    }
  }

  /** Takes notices off user documents, once `add` has put each into the outbox. */
  async takeNotices(add: (notice: Notice) => Promise<void>): Promise<void> {
    const users = await this.collection()
    const found = users.find({ 'notices._id': { $exists: true } }, { projection: { notices: 1 }, limit: 100 })

    for await (const { _id, notices = [] } of found) {
      for (const notice of notices) {
        await add(notice)
        await users.updateOne({ _id }, { $pull: { notices: { _id: notice._id } } } as Document, durable)
      }
    }
  }

  #is(userId: string): Document {
    const { app, configuration } = this.#authentication
    const service = app.service(configuration.service!) as unknown as { getObjectId(id: string): unknown }

    return { [configuration.entityId ?? '_id']: service.getObjectId(userId) }
  }

  #find(filter: Document, collation?: CollationOptions): Promise<AccountUser | null> {
    return reach(async () => {
      const users = await this.collection()

      return users.findOne(filter, {
        projection: { [this.#authentication.settings.sessionsField]: 0 },
        readPreference: 'primary',
        ...(collation && { collation })
      })
    })
  }
}

/** As it was typed, and in lower case, as most apps store it. */
const inAnyCase = (email: string): string[] => [...new Set([email, email.toLowerCase()])]
