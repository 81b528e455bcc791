import { generateSecret, generateURI, verifySync } from 'otplib'

const period = 30 // s: what all apps for codes take for granted (RFC 6238 §5.2)
const secretLength = 20 // bytes: the size of the hash of SHA-1 (RFC 4226 §4)

/** A new secret, in base32. */
export const newSecret = (): string => generateSecret({ length: secretLength })

/** What a QR code shows to an app for codes. */
export const uriOf = (secret: string, issuer: string, label: string): string =>
  generateURI({ issuer, label, secret })

/**
 * The time step that a code belongs to, of three: clocks may differ by one (RFC 6238 §5.2). Undefined for a wrong code.
 *
 * @param now ms since 1970
 */
export function stepOf(secret: string, code: string, now: number): number | undefined {
  const token = code.replaceAll(/\s/g, '')

  if (!/^\d{6}$/.test(token)) {
    return undefined
  }

  const result = verifySync({ secret, token, epoch: Math.floor(now / 1000), epochTolerance: period })

  return result.valid && 'timeStep' in result ? result.timeStep : undefined
}
