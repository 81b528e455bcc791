/**
 * UTF-16 code units. No password of 128 code points, and no email of 254 characters, has a longer form that normalizes to
 * it: NFKC makes one character of four at most. Normalizing takes time with the square of the length.
 */
export const longestNormalized = 1024

/** NFKC; a text that is too long to be a password or a name stays as it is. */
export const normalize = (text: string): string =>
  text.length > longestNormalized ? text : text.normalize('NFKC')

/**
 * The form in which passwords are compared: keyboards differ in how they compose a character (NIST SP 800-63B
 * §5.1.1.2).
 */
export const normalizePassword = normalize

/** The code points of a password in that form; Infinity for one that is too long to be counted. */
export const passwordLength = (password: string): number =>
  password.length > longestNormalized ? Infinity : Array.from(normalizePassword(password)).length
