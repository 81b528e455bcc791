/**
 * UTF-16 code units. Nothing longer normalizes to a password of 128 code points or an email of 254 characters: NFKC
 * combines at most four characters into one. Longer texts aren't normalized, because the time grows with the square of
 * the length.
 */
export const longestNormalized = 1024

/** NFKC. A text that is too long to be a password or a name is returned unchanged. */
export const normalize = (text: string): string =>
  text.length > longestNormalized ? text : text.normalize('NFKC')

/**
 * The form in which passwords are compared: keyboards differ in how they compose a character (NIST SP 800-63B
 * §5.1.1.2).
 */
export const normalizePassword = normalize

/** The number of code points of a normalized password; Infinity if it is too long to normalize. */
export const passwordLength = (password: string): number =>
  password.length > longestNormalized ? Infinity : Array.from(normalizePassword(password)).length
