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
  let hasFailed = false // whether the storage has to be brought up to date when it works again
  let isProven = false // whether the storage has kept anything: some accept everything and keep nothing
  let known: Kept | null | undefined = null // what the storage holds as far as is known; `null` if it was never read
  let writes = 0
  let turn = Promise.resolve()
  const past = new Set<string>() // keys that were replaced here: where one comes back, a write was late, or a script restored it
  const stuck: Partial<Record<keyof Storage, unknown>> = {} // by method: its call that is still unanswered

  /** @throws The storage's error, or at once while it is known not to answer */
  async function ask(method: keyof Storage, kept?: Kept): Promise<void> {
    const isRead = method === 'getItem'
    const count = isRead ? writes : ++writes
    let isOpen = false

    const work = async () => {
      isOpen = true

      const text = await (storage as Storage)[method]!(item, kept && JSON.stringify(kept))

      if (!isRead) {
        known = kept
      } else if (count === writes) {
        known = parse(text)
      }
    }

    try {
      if (stuck.getItem ?? stuck[method]) {
        throw stuck.getItem ?? stuck[method]
      }

      const working = work().finally(() => {
        isOpen = false

        if (stuck[method]) {
          stuck[method] = undefined
          catchUp(isRead)
        }
      })

      await inTime(clock, working, storageTimeout)
    } catch (error) {
      if (isOpen) {
        stuck[method] = error
      }

      onFault(error)
      throw error
    }
  }

  /** A call was answered late. A write may have arrived after a newer one, and undone it. */
  function catchUp(isRead: boolean): void {
    if (isRead && !isAhead) {
      memory = known ?? undefined
    }
    if (!memory !== !known) {
      isAhead = hasFailed = true
    }
    if (hasFailed) {
      void port.read()
    }
  }

  /** Stores what is in memory, after all earlier writes: a storage may apply them in any order. */
  const put = (): Promise<void> => (turn = turn.then(putNow, putNow))

  async function putNow(): Promise<void> {
    const kept = memory
    const old = known

    await ask(kept ? 'setItem' : 'removeItem', kept)

    if (old && old.key !== kept?.key) {
      past.add(old.key)
    }

    if (kept && !isProven) {
      await ask('getItem')

      if (!known) {
        onFault(new Error('Nothing was stored'))
        return
      }

      isProven = true
    }

    // A later write may be in progress
    isAhead = memory !== kept
    hasFailed &&= isAhead
  }

  const port = {
    /** Whether what is stored isn't known, because the storage doesn't answer. */
    isSilent: () => Boolean(stuck.getItem),

    async read(): Promise<Kept | undefined> {
      try {
        if (storage) {
          const before = known

          await ask('getItem')

          // While writing failed, another tab may have signed in
          if (
            (known && past.has(known.key)) ||
            (hasFailed && (!known || before === null || known.key === before?.key))
          ) {
            await put()
          } else if (!isAhead || hasFailed) {
            memory = known ?? undefined
            isAhead = hasFailed = false
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
      hasFailed = false

      try {
        if (storage) {
          await put()
        }
      } catch {
        await ask('getItem').catch(ignored)

        if (memory === kept) {
          if (from && known?.key === from) {
            memory = known
            isAhead = false
          } else {
            hasFailed = true

            if (kept) {
              await ask('removeItem').catch(ignored)
            }
          }
        }
      }

      return memory
    }
  }

  return port
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
