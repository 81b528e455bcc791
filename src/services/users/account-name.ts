import { longestNormalized, normalize } from '../../passwords/normalize.js'

/**
 * The canonical form of an account's name. The collation that finds users treats more names as equal: it ignores width
 * and soft hyphens as well as case.
 */
export const accountName = (username: string): string => normalize(normalize(username).toLowerCase())

/** Whether an account may have this name: no email is longer, in any spelling. */
export const isAccountName = (username: string): boolean => username.length <= longestNormalized
