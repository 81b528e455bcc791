import ms, { type StringValue } from 'ms'

/** A duration as in jsonwebtoken: a string with a unit (`'15m'`), or a number of seconds. */
export type Duration = string | number

const maxDuration = 100 * 365 * 24 * 60 * 60 * 1000 // ms: a hundred years, well within the range of Date

/**
 * A duration in milliseconds; undefined for anything else. A string needs a unit: jsonwebtoken reads `'120'` as
 * milliseconds, which nobody means.
 */
export function toMilliseconds(duration: unknown): number | undefined {
  const value =
    typeof duration === 'number'
      ? duration * 1000
      : typeof duration === 'string' && /[a-z]\s*$/i.test(duration) && duration.length <= 100
        ? ms(duration as StringValue)
        : NaN

  return value >= 0 && value <= maxDuration ? value : undefined
}
