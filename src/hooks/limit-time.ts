import type { HookContext, NextFunction } from '../declarations.js'
import { unavailable } from '../refresh-token/internal.js'

// ms, plus a second at most: more than the longest database operation takes, and within the 15 s that are promised
const longest = 12_000

const tick = 1000 // ms

/** A call in progress. */
interface Call {
  /** ms, on the clock of performance.now() */
  until: number
  fail: (error: Error) => void
}

/** Around all methods: fails any call that exceeds the limit. @throws Unavailable */
export const limitTime = () => {
  // Oldest first. One timer for all is cheaper than one per call
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
