import type { Collection, Document } from 'mongodb'
import type { PasswordHasher } from './passwords.js'

/** A password's hash, and where it is stored. */
export interface StoredPassword {
  users: Collection
  /** The `_id` of the user document. */
  id: unknown
  /** The name of the field that holds the hash. */
  field: string
  /** What was read there. */
  hash: string
}

/**
 * Checks the password of a user. A hash that is not of today's kind or cost is replaced, while it is the one that was
 * checked: of many who sign in at once one replaces it, and the others check the new one.
 *
 * @returns The hash that is stored now, which a later update may depend on; undefined when the password is wrong
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

  // Upgraded by another, or a new password: only the hash that is there now can tell
  const now = await users.findOne(isUser, { projection: { [field]: 1 } })
  const matchesStill = now && (await hasher.verify(now[field], password)).matches

  return matchesStill ? now[field] : undefined
}
