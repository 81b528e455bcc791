import { Conflict, NotFound } from '@feathersjs/errors'
import { createHash, randomBytes } from 'node:crypto'
import type { Collection, Document, UpdateOptions } from 'mongodb'
import type { Caller } from '../factors/index.js'
import type { AuthenticationService, SessionOwner } from '../refresh-token/index.js'
import { durable, reach } from '../refresh-token/internal.js'
import type { Credential } from './webauthn.js'

/** A passkey as it is stored, among the `factors` of the user document. */
export interface StoredPasskey extends Credential {
  /** The hash of the credential id: one unique index on the ids of factors forbids the same passkey on two accounts. */
  id: string
  kind: 'passkey'
  name: string
  createdAt: Date
  usedAt?: Date
}

/** A passkey as its owner sees it. */
export interface Passkey {
  id: string
  name: string
  createdAt: Date
  usedAt?: Date
}

/** A stored user, as far as passkeys are concerned. */
export interface PasskeyUser extends SessionOwner {
  emailVerified?: boolean
  factors?: { id: string; kind: string }[]
  /** 64 random bytes, base64url: what authenticators know the account by. */
  passkeyHandle?: string
}

/** A handle that tells nothing of the account (WebAuthn §14.6.1). */
export const newHandle = (): string => randomBytes(64).toString('base64url')

export const newPasskey = (credential: Credential, name: string, now: number): StoredPasskey => ({
  ...credential,
  id: passkeyId(credential.credentialId),
  kind: 'passkey',
  name,
  createdAt: new Date(now)
})

const passkeyId = (credentialId: string): string =>
  createHash('sha256').update(credentialId).digest('base64url')

export const passkeysOf = ({ factors = [] }: PasskeyUser): StoredPasskey[] =>
  factors.filter((factor): factor is StoredPasskey => factor.kind === 'passkey')

export const shown = ({ id, name, createdAt, usedAt }: StoredPasskey): Passkey => ({
  id,
  name,
  createdAt,
  ...(usedAt && { usedAt })
})

/** Matches users who have room for a passkey, and don't have it: the index tells only accounts apart. */
export const hasRoomFor = ({ id }: StoredPasskey): Document => ({
  'factors.id': { $ne: id },
  $expr: { $lt: [{ $size: ownPasskeys }, mostPasskeys] }
})

/** @throws Conflict */
export function requireRoomFor({ id }: StoredPasskey, user: PasskeyUser): void {
  // A removed one too, while it may have to be restored
  if (user.factors?.some((own) => own.id === id)) {
    throw known()
  }
  if (passkeysOf(user).length >= mostPasskeys) {
    throw new Conflict(`There are ${mostPasskeys} passkeys already: remove one first`)
  }
}

const mostPasskeys = 20

const ownPasskeys = {
  $filter: { input: { $ifNull: ['$factors', []] }, cond: { $eq: ['$$this.kind', 'passkey'] } }
}

/** Of the collection of users. All factors have an id: of a field that some lack, MongoDB would find them the same. */
export const factorIndex = {
  key: { 'factors.id': 1 },
  unique: true,
  partialFilterExpression: { 'factors.id': { $exists: true } }
} as const

/** The user documents, as far as passkeys are concerned. Each change is one atomic update. */
export class PasskeyUsers {
  readonly #authentication: AuthenticationService

  constructor(authentication: AuthenticationService) {
    this.#authentication = authentication
  }

  readonly collection = (): Promise<Collection> => this.#authentication.users()

  idOf(user: PasskeyUser): string {
    return this.#authentication.idOf(user)
  }

  /** What a user knows the account by. */
  nameOf(user: PasskeyUser): string {
    const { local } = this.#authentication.configuration

    return String(user[local?.entityUsernameField ?? local?.usernameField ?? 'email'])
  }

  /** The user with a passkey. @throws Refused `disabled` */
  byCredential(credentialId: string): Promise<PasskeyUser | null> {
    return this.#authentication.findEntity({ 'factors.id': passkeyId(credentialId) })
  }

  /** @throws Conflict for a passkey of any account; the index decides between many at once */
  async requireUnknown({ id }: StoredPasskey): Promise<void> {
    const isKnown = await reach(async () => {
      const users = await this.collection()

      return users.findOne({ 'factors.id': id }, { projection: { _id: 1 } })
    })

    if (isKnown) {
      throw known()
    }
  }

  /** @throws Refused `revoked`, `disabled` */
  get(userId: string): Promise<PasskeyUser> {
    return this.#authentication.storedUser(userId)
  }

  /** @throws Refused `revoked`, `disabled`; NotFound */
  async passkey(userId: string, id: string): Promise<StoredPasskey> {
    const passkey = passkeysOf(await this.get(userId)).find((own) => own.id === id)

    if (!passkey) {
      // The same for an unknown one and another's
      throw new NotFound('There is no such passkey')
    }

    return passkey
  }

  /** The user, who has a handle from now on: of many that are made at once, one stays. */
  async withHandle(caller: Caller): Promise<PasskeyUser> {
    await this.#update(caller, { passkeyHandle: null }, { $set: { passkeyHandle: newHandle() } })

    return this.get(caller.userId)
  }

  /** Names a passkey. @throws NotFound */
  async rename(caller: Caller, id: string, name: string): Promise<StoredPasskey> {
    const isIt = { factors: { $elemMatch: { id, kind: 'passkey' } } }

    await this.#update(
      caller,
      isIt,
      { $set: { 'factors.$[passkey].name': name } },
      { arrayFilters: [{ 'passkey.id': id }] }
    )

    return this.passkey(caller.userId, id)
  }

  /** Makes the index that finds a user by a passkey, and allows each passkey once. */
  async makeIndex(): Promise<void> {
    const users = await this.collection()
    const { key, ...options } = factorIndex

    await users.createIndex(key, options)
  }

  /** One conditional update, while the caller's session lives. @throws Refused if it doesn't */
  async #update(
    { userId, sessionId }: Caller,
    condition: Document,
    update: Document,
    options: UpdateOptions = {}
  ): Promise<void> {
    const { sessions, settings, live, now } = this.#authentication
    const isLive = { id: sessionId, expiresAt: { $gt: new Date(now()) } }
    const filter = {
      ...this.#is(userId),
      ...condition,
      disabled: { $ne: true },
      [settings.sessionsField]: { $elemMatch: isLive }
    }
    const { matchedCount } = await reach(async () => {
      const users = await this.collection()

      return users.updateOne(filter, update, { ...options, ...durable })
    })

    // What is in memory here must not answer once this has been answered
    live.cache.forget(userId)

    if (matchedCount === 0) {
      await sessions.find(userId, sessionId)
    }
  }

  #is(userId: string): Document {
    const { app, configuration } = this.#authentication
    const service = app.service(configuration.service!) as unknown as { getObjectId(id: string): unknown }

    return { [configuration.entityId ?? '_id']: service.getObjectId(userId) }
  }
}

/** Whoever has it: the account itself, or another. */
export const known = (): Conflict => new Conflict('The passkey is known already')

const duplicateKey = 11000 // MongoDB's error code

/** @throws Conflict for a passkey of another account */
export function refusedIfKnown(error: unknown): never {
  throw (error as { code?: unknown }).code === duplicateKey ? known() : error
}
