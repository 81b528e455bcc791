import type { AuthenticationResult } from '@feathersjs/authentication'
import type { SessionEndReason } from './options.js'
import { newKey } from './session-storage.js'
import { isPage, surroundings, type Channel } from './surroundings.js'

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
      // eslint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin
      outbox?.postMessage(news)
    },

    /** Whether another tab tells, now or soon, of what it stored under a key, or removed. */
    async hears(key: string | null): Promise<boolean> {
      const isTold = () => tabs.news?.key === key

      await hear(isTold)
      return isTold()
    },

    /** Does something in one tab at a time; past a time limit anyway, which the service tolerates. */
    oneAtATime(work: () => Promise<void>): Promise<void> {
      const locks = isPage && surroundings.navigator?.locks

      if (!locks) {
        return work()
      }

      return new Promise((resolve, reject) => {
        const waiting = new AbortController()
        const timer = setTimeout(() => waiting.abort(), longestLock)
        const run = async () => {
          clearTimeout(timer)
          await catchUp()
          await work().then(resolve, reject)
          // What was told has gone out before the next tab asks what there was
          await catchUp()
        }

        tabs.hurry = () => waiting.abort()
        locks.request(name, { signal: waiting.signal }, run).catch(run)
      })
    },

    /** What waits for its turn is not to wait any more. */
    hurry(): void {}
  }

  /** Waits until all that other tabs have told before is heard. */
  function catchUp(): Promise<void> {
    const fence = newKey()
    const caughtUp = hear((data) => data === fence)

    tabs.tell(fence)
    return caughtUp
  }

  /** Waits for a message, though not for long. */
  async function hear(isIt: (data?: unknown) => boolean): Promise<void> {
    if (inbox && !isIt()) {
      await new Promise<void>((resolve) => {
        const listen: Parameters<Channel['addEventListener']>[1] = ({ data }) => {
          if (isIt(data)) {
            done()
          }
        }
        const done = () => {
          clearTimeout(timer)
          inbox.removeEventListener('message', listen)
          resolve()
        }
        const timer = setTimeout(done, patience)

        inbox.addEventListener('message', listen)
      })
    }
  }

  inbox?.addEventListener('message', ({ data }) => {
    if ((data as Partial<News>).key !== undefined) {
      tabs.news = data as News
      onNews()
    }
  })

  return tabs
}
