import { hash, verify } from '@node-rs/argon2'
import { normalizePassword } from './validators.js'

// OWASP's first choice for Argon2id: 19 MiB, two passes, one lane
const cost = { memoryCost: 19456, timeCost: 2, parallelism: 1 }

/** Hashes a password with Argon2id, of which every byte counts, in a thread of its own. */
export function hashPassword(password: string): Promise<string> {
  return hash(normalizePassword(password), cost)
}

/** Whether a password is the one that was hashed. A hash that can't be read is no one's password. */
export async function verifyPassword(passwordHash: string, password: string): Promise<boolean> {
  return verify(passwordHash, normalizePassword(password)).catch(() => false)
}
