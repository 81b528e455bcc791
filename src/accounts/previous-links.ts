import type { Collection, Document } from 'mongodb'
import { durable } from '../refresh-token/internal.js'
import type { AccountFields } from './account-users.js'
import { digestOf, hashOf } from './link-token.js'

/** The fields that feathers-authentication-management stores on a user. Times are ms since 1970, or dates. */
interface Previous {
  isVerified?: boolean
  verifyToken?: string | null
  verifyExpires?: number | Date | null
  verifyChanges?: Document | null
  /** A hash like that of a password; with the option `reuseResetToken`, the token itself: `<user id>___<random>`. */
  resetToken?: string | null
  resetExpires?: number | Date | null
}

export interface MoveOptions {
  emailField?: string
  passwordField?: string
  /** ms since 1970 */
  now?: () => number
}

const fields = [
  'isVerified',
  'verifyToken',
  'verifyShortToken',
  'verifyExpires',
  'verifyChanges',
  'resetToken',
  'resetShortToken',
  'resetExpires',
  'resetAttempts'
]

/**
 * Migrates what feathers-authentication-management stored on the users: who is verified, and the mailed links that
 * haven't expired, which stay valid. The id of such a link is that of its user. May be run again.
 *
 * @param users The collection of the users
 * @returns The number of migrated users
 */
export async function moveManagedAccounts(
  users: Collection,
  { emailField = 'email', passwordField = 'password', now = Date.now }: MoveOptions = {}
): Promise<number> {
  let moved = 0

  for await (const user of users.find({ $or: fields.map((field) => ({ [field]: { $exists: true } })) })) {
    const set = accountOf(user, { emailField, passwordField, now: now() })

    await users.updateOne(
      { _id: user._id },
      { $set: set, $unset: Object.fromEntries(fields.map((field) => [field, ''])) },
      durable
    )
    moved++
  }

  return moved
}

function accountOf(
  user: Document,
  { emailField, passwordField, now }: { emailField: string; passwordField: string; now: number }
): AccountFields {
  const { isVerified, verifyToken, verifyExpires, verifyChanges, resetToken, resetExpires } = user as Previous
  const email = String(user[emailField])
  const pendingEmail: unknown = verifyChanges?.[emailField]
  const link = (expiry: number | Date | null | undefined) => ({
    id: String(user._id),
    tries: 0,
    askedAt: new Date(now),
    expiresAt: new Date(expiry ?? 0)
  })
  const isLive = (token: unknown, expiry: number | Date | null | undefined) =>
    typeof token === 'string' && token !== '' && Number(expiry ?? 0) > now

  return {
    emailVerified: isVerified === true,
    ...(typeof pendingEmail === 'string' && { pendingEmail }),
    ...(isLive(verifyToken, verifyExpires) && {
      emailVerification: {
        ...link(verifyExpires),
        hashes: [hashOf(verifyToken!)],
        email: typeof pendingEmail === 'string' ? pendingEmail : email
      }
    }),
    ...(isLive(resetToken, resetExpires) && {
      passwordReset: {
        ...link(resetExpires),
        ...(resetToken!.includes('___')
          ? { hashes: [hashOf(resetToken!)] }
          : { hashes: [], previous: resetToken! }),
        email,
        password: digestOf(user[passwordField])
      }
    })
  }
}
