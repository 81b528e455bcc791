import type { Collection, Document } from 'mongodb'
import type { PasswordHasher } from './hasher.js'

/** The hash of a password, and where it is stored. */
export interface StoredPassword {
  users: Collection
  /** The `_id` of the user document. */
  id: unknown
  /** The name of the field that holds the hash. */
  field: string
  /** The hash as it was read. */
  hash: string
}

/**
 * Verifies the password of a user. Replaces a hash of an outdated kind or cost, if it is still the stored one: of
 * several concurrent sign-ins, one replaces it, and the others verify the new hash.
 *
 * @returns The hash that is stored now, as a condition for later updates; undefined if the password is wrong
 * @throws Unavailable when too many passwords are being hashed
 */
export async function verifyStoredPassword(
  hasher: PasswordHasher,
  { users, id, field, hash }: StoredPassword,
  password: string
): Promise<string | undefined> {
  const { matches, upgrade } = await hasher.verify(hash, password)

  if (!matches || !upgrade) {
    return matches ? hash : undefined
  }

  const isUser = { _id: id } as Document
  const { matchedCount } = await users.updateOne({ ...isUser, [field]: hash }, { $set: { [field]: upgrade } })

  if (matchedCount === 1) {
    return upgrade
  }

  // Another sign-in upgraded the hash, or the password was changed: the current hash decides
  const now = await users.findOne(isUser, { projection: { [field]: 1 } })
  const matchesStill = now && (await hasher.verify(now[field], password)).matches

  return matchesStill ? now[field] : undefined
}
