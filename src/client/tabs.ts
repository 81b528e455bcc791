import type { AuthenticationResult } from '@feathersjs/authentication'
import type { SessionEndReason } from './options.js'
import { newKey } from './session-storage.js'
import { isPage, surroundings } from './surroundings.js'

const longestLock = 5000 // ms: a tab that hangs keeps its lock
const patience = 500 // ms until a message that was sent has come

/** An access token, which is in no storage. */
export interface Tokens {
  /** What the refresh token that came with it is kept under. */
  key: string
  /** The key that this one replaces. */
  from: string | undefined
  result: AuthenticationResult
  /** ms since 1970 */
  expiresAt: number
  reason?: undefined
}

/** What tabs tell each other: new tokens, or that the session is over. */
export type News = Tokens | { key: null; reason: SessionEndReason | null }

export type Tabs = ReturnType<typeof otherTabs>

/**
 * The tabs of a browser that share a storage.
 *
 * @param name Of the item in the storage, too
 * @param onNews Another tab has told something
 */
export function otherTabs(name: string, onNews: () => void) {
  const open = () =>
    isPage && surroundings.BroadcastChannel ? new surroundings.BroadcastChannel(name) : undefined
  // Two, since a channel does not hear itself
  const inbox = open()
  const outbox = open()

  const tabs = {
    /** What was heard last. */
    news: undefined as News | undefined,

    tell(news: News | string): void {
      try {
        // eslint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin
        outbox?.postMessage(news)
      } catch {
        // What a hook of the app made of the answer can't be sent: the others ask by themselves
      }
    },

    /** Whether another tab tells, now or soon, of what it stored under a key, or removed. */
    hears: (key: string | null): Promise<boolean> => hear(() => tabs.news?.key === key),

    /** Does something in one tab at a time; past a time limit anyway, which the service tolerates. */
    oneAtATime(work: () => Promise<void>): Promise<void> {
      const locks = isPage && surroundings.navigator?.locks

      return locks
        ? new Promise((resolve, reject) => {
            const run = async () => {
              await catchUp()
              await work().then(resolve, reject)
              // What was told has gone out before the next tab asks what there was
              await catchUp()
            }

            locks.request(name, { signal: AbortSignal.timeout(longestLock) }, run).catch(run)
          })
        : work()
    }
  }

  /** Waits until all that other tabs have told before is heard. */
  function catchUp(): Promise<unknown> {
    const fence = newKey()

    tabs.tell(fence)
    return hear((data) => data === fence)
  }

  /** Waits for a message, though not for long. @returns whether it is there */
  async function hear(isIt: (data?: unknown) => boolean): Promise<boolean> {
    if (inbox && !isIt()) {
      await new Promise<unknown>((resolve) => {
        const signal = AbortSignal.timeout(patience)

        signal.addEventListener('abort', resolve)
        inbox.addEventListener('message', ({ data }) => isIt(data) && resolve(data), { signal })
      })
    }

    return isIt()
  }

  inbox?.addEventListener('message', ({ data }) => {
    if ((data as Partial<News>).key !== undefined) {
      tabs.news = data as News
      onNews()
    }
  })

  return tabs
}
