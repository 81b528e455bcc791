import { Conflict, NotFound } from '@feathersjs/errors'
import { createHash, randomBytes } from 'node:crypto'
import type { Collection, Document } from 'mongodb'
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
  const passkeys = passkeysOf(user)

  if (passkeys.some((own) => own.id === id)) {
    throw known()
  }
  if (passkeys.length >= mostPasskeys) {
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

  /** @throws Refused `disabled`; NotFound */
  async get(userId: string): Promise<PasskeyUser> {
    return found(await this.#authentication.findEntity(this.#is(userId)))
  }

  /** @throws Refused `disabled`; NotFound */
  async passkey(userId: string, id: string): Promise<StoredPasskey> {
    return found(passkeysOf(await this.get(userId)).find((passkey) => passkey.id === id))
  }

  /** The user, who has a handle from now on: of many that are made at once, one stays. */
  async withHandle(userId: string): Promise<PasskeyUser> {
    await this.#update(userId, { passkeyHandle: null }, { $set: { passkeyHandle: newHandle() } })

    return this.get(userId)
  }

  /** Names a passkey. @throws NotFound */
  async rename(userId: string, id: string, name: string): Promise<StoredPasskey> {
    const isIt = { factors: { $elemMatch: { id, kind: 'passkey' } } }

    if (!(await this.#update(userId, isIt, { $set: { 'factors.$.name': name } }))) {
      throw notFound()
    }

    return this.passkey(userId, id)
  }

  /** Makes the index that finds a user by a passkey, and allows each passkey once. */
  async makeIndex(): Promise<void> {
    const users = await this.collection()
    const { key, ...options } = factorIndex

    await users.createIndex(key, options)
  }

  async #update(userId: string, condition: Document, update: Document): Promise<boolean> {
    return reach(async () => {
      const users = await this.collection()
      const { matchedCount } = await users.updateOne({ ...this.#is(userId), ...condition }, update, durable)

      // What is in memory here must not answer once this has been answered
      this.#authentication.live.cache.forget(userId)
      return matchedCount === 1
    })
  }

  #is(userId: string): Document {
    const { app, configuration } = this.#authentication
    const service = app.service(configuration.service!) as unknown as { getObjectId(id: string): unknown }

    return { [configuration.entityId ?? '_id']: service.getObjectId(userId) }
  }
}

function found<T>(value: T | null | undefined): T {
  if (value == null) {
    throw notFound()
  }

  return value
}

/** The same for an unknown passkey and another's. */
const notFound = () => new NotFound('There is no such passkey')

/** Whoever has it: the account itself, or another. */
export const known = (): Conflict => new Conflict('The passkey is known already')

const duplicateKey = 11000 // MongoDB's error code

/** @throws Conflict for a passkey of another account */
export function refusedIfKnown(error: unknown): never {
  throw (error as { code?: unknown }).code === duplicateKey ? known() : error
}
