import type { News } from '../core.js'
import type { Clock } from '../options.js'
import { ignored } from './clock.js'
import { isPage, newKey, platform, type Channel } from './platform.js'

const longestLock = 5000 // ms: a tab that hangs keeps its lock
const patience = 500 // ms until a message that was sent has come

export type Tabs = ReturnType<typeof otherTabs>

/**
 * The tabs of a browser that share a storage.
 *
 * @param name Of the item in the storage, too
 * @param onNews Another tab has told something
 */
export function otherTabs(name: string, clock: Clock, onNews: (news: News) => void) {
  // Two, since a channel does not hear itself
  let inbox = open(name)
  const outbox = inbox && open(name)

  const tabs = {
    tell(news: News | string): void {
      try {
        // eslint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin
        outbox?.postMessage(news)
      } catch {
        // What a hook of the app made of the answer can't be sent: the others ask by themselves
      }
    },

    /** Waits until something was heard, though not for long. @returns whether it was */
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
          const timer = clock.setTimeout(() => end(false), patience)

          channel.addEventListener('message', listen)
        })
      )
    },

    /** Does something in one tab at a time; past a time limit anyway, which the service tolerates. */
    async oneAtATime(work: () => Promise<void>): Promise<void> {
      const locks = isPage && platform.navigator?.locks
      let running: Promise<void> | undefined

      // What was told has gone out before the next tab asks what there was
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

  /** Waits until all that other tabs have told before is heard. */
  async function catchUp(): Promise<void> {
    const fence = newKey()

    tabs.tell(fence)

    if (!(await tabs.hears((data) => data === fence))) {
      inbox = undefined // it is deaf
    }
  }

  inbox?.addEventListener('message', ({ data }) => {
    if ((data as Partial<News> | null)?.key !== undefined) {
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
