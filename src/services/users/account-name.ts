import { longestNormalized, normalize } from '../../passwords/normalize.js'

/**
 * The one name of an account, however it is typed. The collation that finds users treats more names as equal than
 * this does: it ignores width and soft hyphens as well as case.
 */
export const accountName = (username: string): string => normalize(normalize(username).toLowerCase())

/** Whether an account may have that name: no email is longer, however it is typed. */
export const isAccountName = (username: string): boolean => username.length <= longestNormalized
