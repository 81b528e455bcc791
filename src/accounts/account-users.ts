import type { Collection, CollationOptions, Document, ObjectId } from 'mongodb'
import { factorFields, type AuthenticationService } from '../refresh-token/index.js'
import { durable, oauthProviders, reach } from '../refresh-token/internal.js'
import { LinkRefused, digestOf, matches, maxTries, newToken, type StoredLink } from './link-token.js'
import type { Job } from './outbox/job.js'

/** A previous address of an account. Its owner may revert the change. */
export interface FormerEmail extends StoredLink {
  email: string
  /** The other ways to sign in that the account had at the time, but for factors. */
  waysIn: Document
  /** The ids of its factors; missing where there are none, and a field of that name is one of the app's. */
  factors?: string[]
}

/** A mail about a change. Stored in the same update as the change, until it is in the outbox. */
export interface Notice extends Job {
  _id: ObjectId
}

/** The fields that accounts by mail add to a user document. */
export interface AccountFields {
  emailVerified?: boolean
  /** The address that replaces the current one once it is verified. */
  pendingEmail?: string
  passwordReset?: StoredLink & { email: string; password: string }
  emailVerification?: StoredLink & { email: string }
  formerEmails?: FormerEmail[]
  notices?: Notice[]
  /** Whether somebody else knows the password: an admin has set it. */
  newPasswordNeeded?: boolean
}

/** A stored user, without sessions. */
export interface AccountUser extends Document, AccountFields {
  _id: ObjectId
  disabled?: boolean
}

/** The fields that are never shown. */
export const hiddenFields = [
  'passwordReset',
  'emailVerification',
  'formerEmails',
  'notices',
  'newPasswordNeeded'
] as const

/** The fields that users are looked up by. Each needs a partial index. */
export const indexedFields = [
  'passwordReset.id',
  'emailVerification.id',
  'formerEmails.id',
  'formerEmails.email',
  'notices._id'
] as const

/** The other fields that somebody who claimed an address before its owner may have set on the account. */
const leftBehind = [
  'pendingFactor',
  'passkeyHandle',
  'pendingEmail',
  'emailVerification',
  'passwordReset',
  'formerEmails'
]

export interface AccountUsersOptions {
  authentication: AuthenticationService
  /** The collation of the unique index on the address. */
  collation?: CollationOptions | undefined
  /** Further fields of the app's users that somebody could sign in with. */
  waysIn?: string[] | undefined
  /** Whether a token of another package matches a hash stored by that package. */
  matchesPrevious?: ((token: string, hash: string) => Promise<boolean>) | undefined
  /** ms since 1970 */
  now: () => number
}

type LinkField = 'passwordReset' | 'emailVerification'

/** The user documents, for accounts by mail. Each change is one atomic update. */
export class AccountUsers {
  readonly #authentication: AuthenticationService
  readonly #collation: CollationOptions | undefined
  readonly #waysIn: string[]
  readonly #matchesPrevious: AccountUsersOptions['matchesPrevious']
  readonly now: () => number

  constructor({ authentication, collation, waysIn = [], matchesPrevious, now }: AccountUsersOptions) {
    this.#authentication = authentication
    this.#collation = collation
    this.#waysIn = waysIn
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

  /** The fields with other ways to sign in than the password: factors and linked OAuth accounts. */
  get waysIn(): string[] {
    // Where Feathers' OAuth strategy keeps the id of a linked account
    const linked = oauthProviders(this.#authentication.configuration.oauth).map((name) => `${name}Id`)

    return ['identities', 'factors', 'recoveryCodes', 'recoveryCodesAt', ...linked, ...this.#waysIn]
  }

  /** The same without factors, of which there is one copy: removed ones stay on the document while a link may restore them. */
  get copiedWaysIn(): string[] {
    return this.waysIn.filter((field) => field !== 'factors' || !this.hasFactors)
  }

  get hasFactors(): boolean {
    return this.#authentication.settings.factors !== undefined
  }

  /** The id of a user in tokens and events. */
  idOf(user: AccountUser): string {
    return String(user[this.#authentication.configuration.entityId ?? '_id'])
  }

  /** Empty for a user without an address, whom nothing is mailed to. */
  emailOf(user: AccountUser): string {
    return String(user[this.emailField] ?? '')
  }

  /** Matches a user while the address is the same. */
  sameEmail(user: AccountUser): Document {
    return { [this.emailField]: user[this.emailField] ?? null }
  }

  /** A value that changes with the password, and doesn't reveal the hash. */
  passwordDigest(user: AccountUser): string {
    return digestOf(user[this.passwordField])
  }

  /** A user without password, sessions, links and other ways to sign in. */
  shown(user: Document): Document {
    const kept = [
      this.#authentication.settings.sessionsField,
      this.passwordField,
      ...hiddenFields,
      ...factorFields,
      ...this.waysIn
    ]

    return Object.fromEntries(Object.entries(user).filter(([field]) => !kept.includes(field)))
  }

  async byEmail(email: string): Promise<AccountUser | null> {
    // The collation may match addresses that differ in more than case, so mail is only sent to the stored address
    return this.#find({ [this.emailField]: { $in: inAnyCase(email) } }, this.#collation)
  }

  async byId(userId: string): Promise<AccountUser | null> {
    return this.#find(this.#is(userId))
  }

  async byLink(field: LinkField | 'formerEmails', id: string): Promise<AccountUser | null> {
    return this.#find({ [`${field}.id`]: id })
  }

  /**
   * Whether an address is a previous one that its owner may still restore.
   *
   * @param except The user who may have it anyway
   */
  async isKept(email: string, except?: AccountUser): Promise<boolean> {
    const isSame = { $in: inAnyCase(email) }
    const isLive = { email: isSame, expiresAt: { $gt: new Date(this.now()) } }
    // $elemMatch alone would not use the index
    const kept = { 'formerEmails.email': isSame, formerEmails: { $elemMatch: isLive } }
    const byOther = except && { _id: { $ne: except._id } }

    return (await this.#find({ ...kept, ...byOther })) !== null
  }

  /**
   * Gives a link a new token. Each attempt to mail the link needs one, because only hashes of tokens are stored. The link
   * is valid for as long as the newest mail says.
   *
   * @param link What else to store about the link
   * @returns The token; undefined if a newer link has replaced this one
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
      { $push: { [`${field}.hashes`]: hash }, $set: { [`${field}.expiresAt`]: link.expiresAt } } as Document,
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
   * Checks the token of a link that was found by its id. Wrong tokens are counted; the fifth invalidates the link.
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

  /** The conditions for the update that uses a link which has been checked. */
  usable(field: LinkField, link: StoredLink): Document {
    return { [`${field}.id`]: link.id, [`${field}.tries`]: { $lt: maxTries }, disabled: { $ne: true } }
  }

  /** One conditional update that ends no sessions. Returns whether it matched. */
  async update(user: AccountUser, condition: Document, update: Document): Promise<boolean> {
    const users = await this.collection()
    const { matchedCount } = await users.updateOne({ _id: user._id, ...condition }, update, durable)

    // Later calls must not get the cached user
    this.#authentication.live.cache.forget(this.idOf(user))
    return matchedCount === 1
  }

  /** One conditional update that ends all sessions of the user. Returns whether it matched. */
  async updateAndEndSessions(user: AccountUser, condition: Document, update: Document): Promise<boolean> {
    const ended = await this.#authentication.sessions.endAll(this.idOf(user), 'password', {
      update,
      unchanged: condition
    })

    return ended !== null
  }

  /**
   * The fields to unset when the owner of an address verifies it. If nobody had verified it before, somebody else may
   * have created the account, so everything that would let them in is removed.
   */
  proved(user: AccountUser): Document {
    const fields = user.emailVerified ? [] : [this.passwordField, ...this.waysIn, ...leftBehind]

    return Object.fromEntries(fields.map((field) => [field, '']))
  }

  async makeIndexes(): Promise<void> {
    const users = await this.collection()

    for (const field of indexedFields) {
      await users.createIndex({ [field]: 1 }, { partialFilterExpression: { [field]: { $exists: true } } })
    }
  }

  /** Moves notices from user documents to the outbox: removes each once `add` has added it. */
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

/** An address as it was typed, and in lower case, as most apps store it. */
const inAnyCase = (email: string): string[] => [...new Set([email, email.toLowerCase()])]
