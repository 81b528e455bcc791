const minute = 60_000 // ms
const hour = 60 * minute
const day = 24 * hour

/** How long links and codes are valid, and how long their mails are retried, ms. */
export const lives = {
  passwordReset: 30 * minute,
  verification: day,
  keep: 7 * day,
  code: 10 * minute,
  /** Mails without a link or code. */
  notice: 3 * day
} as const
