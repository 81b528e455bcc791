import type { Storage } from '@feathersjs/authentication-client'
import type { Kept } from '../core.js'
import type { Clock } from '../options.js'
import { ignored, inTime } from './clock.js'

export const storagePatience = 1000 // ms: some storages never answer

export type SessionStorage = ReturnType<typeof sessionStorage>

/**
 * Keeps a session in an item of a Feathers storage. Where there is none, and while that fails (full, forbidden, no
 * answer), in memory, which then counts for more than what is stored.
 *
 * @param onFault The storage has failed
 */
export function sessionStorage(
  storage: Storage | false | undefined,
  item: string,
  clock: Clock,
  onFault: (error: unknown) => void = ignored
) {
  let memory: Kept | undefined
  let isAhead = false // of the storage, which is slow, or failed
  let isProven = false // Some storages take everything, and keep nothing
  let stuck: Error | undefined

  /** @throws what the storage throws; while it does not answer, at once */
  async function ask(method: keyof Storage, value?: string): Promise<unknown> {
    let isDone = false

    try {
      if (stuck) {
        throw stuck
      }

      const work = (async () => (storage as Storage)[method]!(item, value))()
      const done = () => {
        isDone = true
        stuck = undefined
      }

      work.then(done, done)
      return await inTime(clock, work, storagePatience)
    } catch (error) {
      if (!isDone) {
        stuck = error as Error
      }

      onFault(error)
      throw error
    }
  }

  return {
    async read(): Promise<Kept | undefined> {
      try {
        if (storage) {
          const text = await ask('getItem')

          if (!isAhead) {
            memory = parse(text)
          }
        }
      } catch {
        // What we know is as good
      }

      return memory
    },

    /**
     * @param kept `undefined`: nothing any more
     * @param from The key of what this replaces
     * @returns what counts from now on. Where it can't be replaced, that is what is stored, which can be repeated under
     * its key: another would be taken for a reuse after a restart
     */
    async write(kept?: Kept, from?: string): Promise<Kept | undefined> {
      memory = kept
      isAhead = true

      try {
        if (storage) {
          await (kept ? ask('setItem', JSON.stringify(kept)) : ask('removeItem'))

          if (kept && !isProven && !(await ask('getItem'))) {
            onFault(new Error('Nothing was stored'))
            return memory
          }

          isProven ||= Boolean(kept)
          isAhead = memory !== kept
        }
      } catch {
        try {
          const stored = parse(await ask('getItem'))

          if (kept && memory === kept) {
            if (from && stored?.key === from) {
              isAhead = false
              memory = stored
            } else {
              await ask('removeItem')
            }
          }
        } catch {
          // It lasts as long as the app
        }
      }

      return memory
    }
  }
}

/** What is no session is none. */
function parse(text: unknown): Kept | undefined {
  try {
    const { key, refreshToken } = JSON.parse(text as string)

    return typeof key === 'string' && /^.{1,128}$/.test(key)
      ? { key, refreshToken: typeof refreshToken === 'string' ? refreshToken : undefined }
      : undefined
  } catch {
    return undefined
  }
}
