import type { HookContext, NextFunction } from '../declarations.js'
import { unavailable } from '../refresh-token/errors.js'

const longest = 12_000 // ms: longer than the longest call of the database, and inside the 15 s that are promised

/** Around all methods: whatever waits for whatever, the client hears in time. @throws Unavailable */
export const limitTime = () => async (_context: HookContext, next: NextFunction) => {
  let timer: NodeJS.Timeout | undefined

  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(unavailable()), longest).unref()
  })

  try {
    await Promise.race([next(), late])
  } finally {
    clearTimeout(timer)
  }
}
