import { TooManyRequests } from '@feathersjs/errors'

/** @param wait ms until the next attempt is possible */
export function tooManyRequests(wait: number): TooManyRequests {
  return new TooManyRequests('Too many attempts, try again later', {
    retryAfter: Math.max(1, Math.ceil(wait / 1000))
  })
}
