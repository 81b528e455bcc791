const minute = 60_000 // ms
const hour = 60 * minute
const day = 24 * hour

/** How long links and codes are good, and mails about them are tried to be sent, ms. */
export const lives = {
  passwordReset: 30 * minute,
  verification: day,
  keep: 7 * day,
  code: 10 * minute,
  /** Mails that only tell something. */
  notice: 3 * day
} as const
