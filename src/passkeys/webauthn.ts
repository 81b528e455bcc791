import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
  type AuthenticatorTransport,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON
} from '@simplewebauthn/server'
import { decodeAttestationObject, decodeClientDataJSON, isoBase64URL } from '@simplewebauthn/server/helpers'
import { Type, type Static } from '@feathersjs/typebox'
import { algorithms, canonicalKey } from './public-key.js'
import type { PasskeySettings } from './settings.js'

/** What an authenticator told of a passkey when it made it. */
export interface Credential {
  credentialId: string
  /** COSE, base64url */
  publicKey: string
  counter: number
  transports: string[]
  /** Whether it may be copied to other devices (WebAuthn §6.1.3): that never changes. */
  backupEligible: boolean
  /** Whether the authenticator has verified its user, by a PIN or a finger, at least once. */
  userVerified: boolean
}

/** What an assertion told. */
export interface Asserted {
  counter: number
  userVerified: boolean
}

/** What an authenticator knows of an account. */
export interface Owner {
  /** 64 random bytes, base64url: it tells nothing of the account (WebAuthn §14.6.1). */
  handle: string
  /** What the user knows the account by: its address. */
  name: string
}

export type CreationOptions = PublicKeyCredentialCreationOptionsJSON
export type RequestOptions = PublicKeyCredentialRequestOptionsJSON

type KnownCredential = Pick<Credential, 'credentialId' | 'transports'>

const timeout = 5 * 60_000 // ms: as long as the challenge

// WebAuthn §5.8.4, and the older name of hybrid: browsers ignore others
const knownTransports = ['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb']

const challengeId = Type.String({ minLength: 1, maxLength: 8192, description: 'The id of the challenge' })
const bytes = (maxLength: number) => Type.String({ minLength: 1, maxLength })
const credentialFields = {
  id: bytes(1364), // 1023 bytes (WebAuthn §4, credential ID)
  rawId: bytes(1364),
  type: Type.Literal('public-key')
}

/** What `navigator.credentials.create()` gave, as JSON; browsers add more to it. */
const registrationResponseSchema = Type.Object({
  ...credentialFields,
  response: Type.Object({
    clientDataJSON: bytes(4096),
    attestationObject: bytes(16_384),
    transports: Type.Optional(Type.Array(Type.String({ maxLength: 32 }), { maxItems: 16 }))
  })
})

export type RegistrationResponse = Static<typeof registrationResponseSchema>

/** A registration: the response to a challenge, with the id of that. */
export const registrationSchema = Type.Object(
  {
    challenge: challengeId,
    response: registrationResponseSchema
  },
  { additionalProperties: false }
)
export type Registration = Static<typeof registrationSchema>

/** What `navigator.credentials.get()` gave, as JSON. */
export const assertionResponseSchema = Type.Object({
  ...credentialFields,
  response: Type.Object({
    clientDataJSON: bytes(4096),
    authenticatorData: bytes(4096),
    signature: bytes(4096),
    userHandle: Type.Optional(Type.String({ maxLength: 128 }))
  })
})

export type AssertionResponse = Static<typeof assertionResponseSchema>

/** An assertion: the response to a challenge, with the id of that. */
export const assertionSchema = Type.Object(
  { challenge: challengeId, response: assertionResponseSchema },
  { additionalProperties: false }
)
export type Assertion = Static<typeof assertionSchema>

/**
 * The options of `navigator.credentials.create()`.
 *
 * @param known The passkeys that the account has: an authenticator makes no second one
 * @param isOnlyWayIn Whether it has to sign in by itself
 */
export function creationOptions(
  { rpId, rpName }: PasskeySettings,
  challenge: string,
  { handle, name }: Owner,
  { known, isOnlyWayIn }: { known: KnownCredential[]; isOnlyWayIn: boolean }
): Promise<CreationOptions> {
  return generateRegistrationOptions({
    rpID: rpId,
    rpName,
    challenge: isoBase64URL.toBuffer(challenge),
    userID: isoBase64URL.toBuffer(handle),
    userName: name,
    userDisplayName: name,
    timeout,
    attestationType: 'none',
    excludeCredentials: known.map(descriptor),
    authenticatorSelection: {
      residentKey: isOnlyWayIn ? 'required' : 'preferred',
      userVerification: isOnlyWayIn ? 'required' : 'preferred'
    },
    supportedAlgorithmIDs: algorithms
  })
}

/**
 * The options of `navigator.credentials.get()`.
 *
 * @param known The passkeys to choose from; any, without
 */
export function requestOptions(
  { rpId }: PasskeySettings,
  challenge: string,
  known?: KnownCredential[]
): Promise<RequestOptions> {
  return generateAuthenticationOptions({
    rpID: rpId,
    challenge: isoBase64URL.toBuffer(challenge),
    timeout,
    // By itself a passkey signs in as two factors, of which the second is the user's finger or PIN
    userVerification: known ? 'preferred' : 'required',
    ...(known && { allowCredentials: known.map(descriptor) })
  })
}

const descriptor = ({ credentialId, transports }: KnownCredential) => ({
  id: credentialId,
  transports: transports as AuthenticatorTransport[]
})

/**
 * Verifies a new passkey (WebAuthn §7.1): challenge, origin, RP ID, presence, algorithm. Undefined if anything is wrong.
 *
 * @param isOnlyWayIn Whether the authenticator must have verified its user
 */
export function verifyRegistration(
  { rpId, origins }: PasskeySettings,
  challenge: string,
  response: RegistrationResponse,
  { isOnlyWayIn }: { isOnlyWayIn: boolean }
): Promise<Credential | undefined> {
  return unlessRefused(async () => {
    requireSameOrigin(response.response.clientDataJSON)
    requireNoCertificates(response.response.attestationObject)

    const { registrationInfo } = await verifyRegistrationResponse({
      response: { ...response, clientExtensionResults: {} },
      expectedChallenge: challenge,
      expectedOrigin: origins,
      expectedRPID: rpId,
      requireUserVerification: isOnlyWayIn,
      supportedAlgorithmIDs: algorithms
    })

    if (!registrationInfo || registrationInfo.credential.id !== response.id) {
      return undefined
    }

    const { credential, credentialDeviceType, userVerified } = registrationInfo
    const publicKey = canonicalKey(credential.publicKey)
    const { transports = [] } = response.response

    return (
      publicKey && {
        credentialId: credential.id,
        publicKey: isoBase64URL.fromBuffer(publicKey),
        counter: credential.counter,
        transports: knownTransports.filter((name) => transports.includes(name)),
        backupEligible: credentialDeviceType === 'multiDevice',
        userVerified
      }
    )
  })
}

/**
 * Verifies an assertion (WebAuthn §7.2): challenge, origin, RP ID, presence, signature, handle. Undefined if anything is
 * wrong. It is left to the caller to find the passkey by the id in the response, and to judge counter and verification.
 *
 * @param handle Of the account that has the passkey
 * @param isByItself Whether the response has to name the account, and the authenticator to have verified its user
 */
export function verifyAssertion(
  { rpId, origins }: PasskeySettings,
  challenge: string,
  response: AssertionResponse,
  { credentialId, publicKey, transports, backupEligible }: Credential,
  { handle, isByItself }: { handle: string | undefined; isByItself: boolean }
): Promise<Asserted | undefined> {
  return unlessRefused(async () => {
    const { userHandle } = response.response

    requireSameOrigin(response.response.clientDataJSON)

    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: { ...response, clientExtensionResults: {} },
      expectedChallenge: challenge,
      expectedOrigin: origins,
      expectedRPID: rpId,
      requireUserVerification: isByItself,
      credential: {
        id: credentialId,
        publicKey: isoBase64URL.toBuffer(publicKey),
        counter: 0, // the caller's to judge: a synced passkey may well count wrong
        transports
      }
    })
    const { newCounter, userVerified, credentialDeviceType } = authenticationInfo
    const isOwners = userHandle === undefined ? !isByItself : userHandle === handle
    const isAsBefore = backupEligible === (credentialDeviceType === 'multiDevice')

    return verified && isOwners && isAsBefore ? { counter: newCounter, userVerified } : undefined
  })
}

/** No page of ours asks from within a frame of another origin. */
function requireSameOrigin(clientDataJSON: string): void {
  const { crossOrigin, topOrigin } = decodeClientDataJSON(clientDataJSON)

  if (crossOrigin || topOrigin !== undefined) {
    throw new Error('It was asked for in a frame of another origin')
  }
}

/** None are asked for, and to check some, the library would call addresses that are written in them. */
function requireNoCertificates(attestationObject: string): void {
  const attestation = decodeAttestationObject(isoBase64URL.toBuffer(attestationObject))
  const format = attestation.get('fmt')

  if (format !== 'none' && !(format === 'packed' && !attestation.get('attStmt').get('x5c'))) {
    throw new Error('It has an attestation, which was not asked for')
  }
}

/** The library throws where anything is wrong, and its messages quote what came: they go no further. */
async function unlessRefused<T>(verify: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await verify()
  } catch {
    return undefined
  }
}
