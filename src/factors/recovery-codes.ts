import { randomInt } from 'node:crypto'

const count = 10
const length = 10 // characters of 5 bits: guesses are limited, and hashes keyed
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz' // Crockford's, without letters that look like others

/** Ten new codes, such as `k7m2p-9x4qd`. */
export const newRecoveryCodes = (): string[] =>
  Array.from({ length: count }, () => {
    const code = Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('')

    return `${code.slice(0, length / 2)}-${code.slice(length / 2)}`
  })

/** A code as it was made, however it was typed. */
export const plainCode = (typed: string): string =>
  typed.toLowerCase().replaceAll(/[\s-]/g, '').replaceAll('o', '0').replaceAll(/[il]/g, '1')
