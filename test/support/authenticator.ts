import { isoCBOR } from '@simplewebauthn/server/helpers'
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server'
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import type { CreationOptions, RequestOptions } from '../../src/passkeys/webauthn.js'

/** What a browser and an authenticator would never do, or a foreign page. */
export interface Oddities {
  /** The origin of the page that asks. */
  origin?: string
  /** The domain that the authenticator signs for. */
  rpId?: string
  /** Whether a user was there. */
  up?: boolean
  /** Whether the user was verified. */
  uv?: boolean
  /** Whether the passkey may be copied. */
  backupEligible?: boolean
  /** Whether it was asked for in a frame of another page. */
  crossOrigin?: boolean
  counter?: number
  /** Another challenge than the one in the options. */
  challenge?: string
  type?: string
  /** The handle that the response names. */
  userHandle?: string | undefined
  credentialId?: string
  /** A COSE algorithm in place of ES256. */
  algorithm?: number
  /** What the COSE key has beside what its algorithm needs, or in its place. */
  labels?: Map<number, number | Uint8Array>
  transports?: string[]
  attestation?: { fmt: string; attStmt: Map<string, unknown> }
}

interface StoredPasskey {
  credentialId: string
  privateKey: KeyObject
  userHandle: string
  counter: number
}

/**
 * An authenticator in software, and the browser before it. It makes the responses of a real one, and those that none would:
 * Chromium's own is in `passkey-page.ts`.
 */
export function authenticator(origin: string, settings: Oddities = {}) {
  const passkeys: StoredPasskey[] = []
  const own = { origin, up: true, uv: true, backupEligible: false, crossOrigin: false, ...settings }

  const clientData = (type: string, challenge: string, oddities: Oddities) => {
    const odd = { ...own, type, challenge, ...oddities }

    return Buffer.from(
      JSON.stringify({
        type: odd.type,
        challenge: odd.challenge,
        origin: odd.origin,
        crossOrigin: odd.crossOrigin
      })
    )
  }

  return {
    passkeys,
    /** `navigator.credentials.create()` */
    create(options: CreationOptions, oddities: Oddities = {}): RegistrationResponseJSON {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const { x, y } = publicKey.export({ format: 'jwk' })
      const odd = { ...own, rpId: options.rp.id!, algorithm: -7, counter: 0, ...oddities }
      const credentialId = odd.credentialId ?? randomBytes(32).toString('base64url')
      const cose = new Map<number, number | Uint8Array>([
        [1, 2],
        [3, odd.algorithm],
        [-1, 1],
        [-2, bytesOf(x!)],
        [-3, bytesOf(y!)],
        ...(odd.labels ?? [])
      ])
      const attested = Buffer.concat([
        Buffer.alloc(16),
        uint16(bytesOf(credentialId).length),
        bytesOf(credentialId),
        isoCBOR.encode(cose)
      ])
      const { fmt, attStmt } = odd.attestation ?? { fmt: 'none', attStmt: new Map() }
      const attestationObject = isoCBOR.encode(
        new Map<string, any>([
          ['fmt', fmt],
          ['attStmt', attStmt],
          ['authData', new Uint8Array(Buffer.concat([authData(odd, 0x40), attested]))]
        ])
      )

      passkeys.push({
        credentialId,
        privateKey,
        userHandle: options.user.id,
        counter: odd.counter
      })

      return {
        id: credentialId,
        rawId: credentialId,
        type: 'public-key',
        clientExtensionResults: {},
        response: {
          clientDataJSON: clientData('webauthn.create', options.challenge, oddities).toString('base64url'),
          attestationObject: Buffer.from(attestationObject).toString('base64url'),
          transports: odd.transports ?? ['internal']
        }
      }
    },
    /** `navigator.credentials.get()`, with the passkey that was made last, or one that the options name. */
    get(options: RequestOptions, oddities: Oddities = {}): AuthenticationResponseJSON {
      const allowed = options.allowCredentials?.map(({ id }) => id)
      const passkey = passkeys.findLast(({ credentialId }) => allowed?.includes(credentialId) ?? true)!
      const odd = {
        ...own,
        rpId: options.rpId!,
        counter: ++passkey.counter,
        userHandle: passkey.userHandle,
        credentialId: passkey.credentialId,
        ...oddities
      }
      const data = authData(odd)
      const client = clientData('webauthn.get', options.challenge, oddities)
      const signature = sign(
        'sha256',
        Buffer.concat([data, createHash('sha256').update(client).digest()]),
        passkey.privateKey
      )

      return {
        id: odd.credentialId,
        rawId: odd.credentialId,
        type: 'public-key',
        clientExtensionResults: {},
        response: {
          clientDataJSON: client.toString('base64url'),
          authenticatorData: data.toString('base64url'),
          signature: signature.toString('base64url'),
          ...(odd.userHandle !== undefined && { userHandle: odd.userHandle })
        }
      }
    }
  }
}

export type Authenticator = ReturnType<typeof authenticator>

/** Authenticator data (WebAuthn §6.1), without attested credential data. */
function authData(
  { rpId, up, uv, backupEligible, counter }: Required<Pick<Oddities, 'rpId' | 'counter'>> & Oddities,
  more = 0
): Buffer {
  const flags = more | (up ? 0x01 : 0) | (uv ? 0x04 : 0) | (backupEligible ? 0x08 : 0)
  const count = Buffer.alloc(4)

  count.writeUInt32BE(counter)

  return Buffer.concat([createHash('sha256').update(rpId).digest(), Buffer.from([flags]), count])
}

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64url'))

function uint16(value: number): Buffer {
  const buffer = Buffer.alloc(2)

  buffer.writeUInt16BE(value)
  return buffer
}
