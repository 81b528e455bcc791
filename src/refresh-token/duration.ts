import ms, { type StringValue } from 'ms'

/** A time span as jsonwebtoken takes it: a string with its unit (`'15m'`), or a number of seconds. */
export type Duration = string | number

const longest = 100 * 365 * 24 * 60 * 60 * 1000 // ms: a hundred years, far inside what a Date can hold

/**
 * A duration in milliseconds; undefined for what is none. A string needs a unit: jsonwebtoken would read `'120'`
 * as milliseconds, which nobody means.
 */
export function toMilliseconds(duration: unknown): number | undefined {
  const value =
    typeof duration === 'number'
      ? duration * 1000
      : typeof duration === 'string' && /[a-z]\s*$/i.test(duration) && duration.length <= 100
        ? ms(duration as StringValue)
        : NaN

  return value >= 0 && value <= longest ? value : undefined
}
