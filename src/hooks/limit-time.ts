import type { HookContext, NextFunction } from '../declarations.js'
import { unavailable } from '../refresh-token/errors.js'

const longest = 12_000 // ms, and up to a second more: longer than the longest call of the database, and inside the 15 s that are promised

const tick = 1000 // ms

/** A call that is under way. */
interface Call {
  /** ms of performance.now() */
  until: number
  fail: (error: Error) => void
}

/** Around all methods: whatever waits for whatever, the client hears in time. @throws Unavailable */
export const limitTime = () => {
  // In the order they began: one timer for all is cheaper than one for each
  const calls = new Set<Call>()

  setInterval(() => failLate(calls), tick).unref()

  return async (_context: HookContext, next: NextFunction) => {
    let call: Call
    const late = new Promise<never>((_resolve, reject) => {
      call = { until: performance.now() + longest, fail: reject }
    })

    calls.add(call!)

    try {
      await Promise.race([next(), late])
    } finally {
      calls.delete(call!)
    }
  }
}

function failLate(calls: Set<Call>): void {
  const now = performance.now()

  for (const { until, fail } of calls) {
    if (until > now) {
      return
    }

    fail(unavailable())
  }
}
