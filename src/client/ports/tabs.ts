import type { News } from '../core.js'
import type { Clock } from '../options.js'
import { ignored } from './clock.js'
import { isPage, newKey, platform, type Channel } from './platform.js'

const longestLock = 5000 // ms to wait for the lock, which a tab that hangs never releases
const longestDelivery = 500 // ms for a message to arrive

export type Tabs = ReturnType<typeof otherTabs>

/**
 * The tabs of a browser that share a storage.
 *
 * @param name The name of the item in the storage, of the channel and of the lock
 * @param onNews Called with each message from another tab
 */
export function otherTabs(name: string, clock: Clock, onNews: (news: News) => void) {
  // Two channels, because a channel doesn't receive its own messages
  let inbox = open(name)
  const outbox = inbox && open(name)

  const tabs = {
    tell(news: News | string): void {
      try {
        // eslint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin
        outbox?.postMessage(news)
      } catch {
        // A hook of the app put something into the answer that can't be cloned. The other tabs refresh by themselves
      }
    },

    /** Waits briefly for a message. Returns whether it came. */
    async hears(isHeard: (data?: unknown) => boolean): Promise<boolean> {
      const channel = inbox

      return (
        !channel ||
        isHeard() ||
        new Promise((resolve) => {
          const end = (isThere: boolean) => {
            clock.clearTimeout(timer)
            channel.removeEventListener('message', listen)
            resolve(isThere)
          }
          const listen = ({ data }: { data?: unknown }) => isHeard(data) && end(true)
          const timer = clock.setTimeout(() => end(false), longestDelivery)

          channel.addEventListener('message', listen)
        })
      )
    },

    /** Runs `work` in one tab at a time. After a time limit it runs anyway, which the service tolerates. */
    async oneAtATime(work: () => Promise<void>): Promise<void> {
      const locks = isPage && platform.navigator?.locks
      let running: Promise<void> | undefined

      // All messages of this tab are delivered before the next one gets its turn
      const run = () => (running ??= catchUp().then(work).then(catchUp))

      await (locks
        ? new Promise<void>((resolve) => {
            const go = () => resolve(run())
            const timer = clock.setTimeout(go, longestLock)

            ;(async () => locks.request(name, run))()
              .then(go, go)
              .finally(() => clock.clearTimeout(timer))
          })
        : work())
    }
  }

  /** Waits until all earlier messages have been delivered. */
  async function catchUp(): Promise<void> {
    const fence = newKey()

    tabs.tell(fence)

    if (!(await tabs.hears((data) => data === fence))) {
      inbox = undefined // the channel doesn't work
    }
  }

  inbox?.addEventListener('message', ({ data }) => {
    const { key, result } = Object(data) as Partial<News>

    if (key === null || (key && result?.accessToken)) {
      onNews(data as News)
    }
  })

  return tabs
}

function open(name: string): Channel | undefined {
  try {
    return isPage && platform.BroadcastChannel ? new platform.BroadcastChannel(name) : undefined
  } catch {
    ignored()
    return undefined
  }
}
