import type { Storage } from '@feathersjs/authentication-client'
import type { Kept } from '../core.js'
import type { Clock } from '../options.js'
import { ignored, inTime } from './clock.js'

export const storageTimeout = 1000 // ms: some storages never answer

export type SessionStorage = ReturnType<typeof sessionStorage>

/**
 * Keeps a session in an item of a Feathers storage. Without a storage, or while it fails (full, blocked, unresponsive),
 * keeps it in memory, which then takes precedence.
 *
 * @param onFault Called when the storage fails
 */
export function sessionStorage(
  storage: Storage | false | undefined,
  item: string,
  clock: Clock,
  onFault: (error: unknown) => void = ignored
) {
  let memory: Kept | undefined
  let isAhead = false // whether memory is newer than the storage, which is slow or failed
  let isProven = false // whether the storage has kept anything: some accept everything and keep nothing
  let stuck: Error | undefined

  /** @throws The storage's error, or at once while an earlier call is still unanswered */
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
      return await inTime(clock, work, storageTimeout)
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
        // Uses the copy in memory
      }

      return memory
    },

    /**
     * @param kept `undefined` to erase
     * @param from The key of the session that this replaces
     * @returns The session to use from now on. If the stored one can't be replaced, that is the stored one: its refresh
     *   can be repeated under its key, but after a restart it would count as a reuse if its successor had been used
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
          // Kept in memory, for as long as the app runs
        }
      }

      return memory
    }
  }
}

/** The session in a stored text; undefined for anything else. */
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
