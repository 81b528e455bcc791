import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  type KeyObject
} from 'node:crypto'
import type { Keyring } from '../refresh-token/internal.js'

/** A secret as it is stored, with the id of the key that it is encrypted with. */
export interface Encrypted {
  kid: string
  iv: string
  /** The ciphertext, and behind it the tag of GCM. */
  data: string
}

const algorithm = 'aes-256-gcm'
const ivLength = 12 // bytes: NIST SP 800-38D §5.2.1.1
const tagLength = 16 // bytes

/** What is stored of factors: encrypted or hashed with keys that are derived from those of the keyring. */
export class FactorKeys {
  readonly #keyring: Keyring

  constructor(keyring: Keyring) {
    this.#keyring = keyring
  }

  /** The ids of all keys. */
  get ids(): string[] {
    return [...this.#keyring.byId.keys()]
  }

  /** @param owner What it is bound to, so that it is of no use to another user */
  encrypt(secret: string, owner: string): Encrypted {
    const { kid, signKey } = this.#keyring.newest
    const iv = randomBytes(ivLength)
    const cipher = createCipheriv(algorithm, derived(signKey!, 'encryption'), iv).setAAD(Buffer.from(owner))
    const data = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()])

    return { kid, iv: iv.toString('base64url'), data: data.toString('base64url') }
  }

  /** @throws Error if the key is gone, or what is stored was changed */
  decrypt({ kid, iv, data }: Encrypted, owner: string): string {
    const bytes = Buffer.from(data, 'base64url')
    const key = derived(this.#keyring.find(kid)!.signKey!, 'encryption')
    const decipher = createDecipheriv(algorithm, key, Buffer.from(iv, 'base64url'))
      .setAAD(Buffer.from(owner))
      .setAuthTag(bytes.subarray(-tagLength))

    return decipher.update(bytes.subarray(0, -tagLength), undefined, 'utf8') + decipher.final('utf8')
  }

  /** Whether it is encrypted with the key that encrypts now. */
  isNewest({ kid }: Encrypted): boolean {
    return kid === this.#keyring.newest.kid
  }

  /** A keyed hash, with the id of the key: who reads the database can't try codes on it. */
  hash(text: string): string {
    const { kid, signKey } = this.#keyring.newest

    return hashed(kid, signKey!, text)
  }

  /** The same by each key, the newest first. */
  hashes(text: string): string[] {
    return this.#keyring.keys.map(({ kid, signKey }) => hashed(kid, signKey!, text))
  }
}

const hashed = (kid: string, key: KeyObject, text: string): string =>
  `${kid}.${createHmac('sha256', derived(key, 'recovery codes')).update(text).digest('base64url')}`

/** A key for each use, since those of the keyring sign challenges (RFC 5869). */
const derived = (key: KeyObject, use: string): Buffer =>
  Buffer.from(hkdfSync('sha256', key, '', `moult ${use}`, 32))
