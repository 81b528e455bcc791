import type { AuthenticationResult } from '@feathersjs/authentication'
import type { SessionEndReason } from './options.js'
import { isPage, surroundings } from './surroundings.js'

const longestLock = 5000 // ms: a tab that hangs keeps its lock
const longestRelease = 50 // ms from a refresh until all tabs can be supposed to see what was stored
const newsPatience = 500 // ms from what another tab stored until its message

/** What tabs tell each other: the access tokens, which are in no storage. */
export type News =
  | { key: string; result: AuthenticationResult; expiresAt: number }
  | { key: null; reason: SessionEndReason | null }

/** The tabs of a browser that share a storage. */
export class Tabs {
  readonly #name: string
  readonly #channel = isPage && surroundings.BroadcastChannel
  readonly #tell: (news: News) => void = () => {}
  readonly #heard = new Set<() => void>()
  #hurry = () => {}
  /** What was heard last. */
  news: News | undefined

  /** @param onNews Another tab has told, or stored, something */
  constructor(name: string, item: string, onNews: () => void) {
    this.#name = name

    if (isPage) {
      surroundings.addEventListener?.('storage', ({ key }) => {
        if (key === item || key === null) {
          onNews()
        }
      })
    }
    if (this.#channel) {
      const channel = new this.#channel(name)

      channel.addEventListener('message', ({ data }) => {
        this.news = data as News
        this.#heard.forEach((heard) => heard())
        onNews()
      })
      // eslint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin
      this.#tell = (news) => channel.postMessage(news)
    }
  }

  tell(news: News): void {
    this.#tell(news)
  }

  /** Whether another tab tells, now or soon, of what it stored under a key. */
  async hears(key: string): Promise<boolean> {
    const isTold = () => this.news?.key === key

    if (this.#channel && !isTold()) {
      await new Promise<void>((resolve) => {
        const heard = () => {
          if (isTold()) {
            done()
          }
        }
        const done = () => {
          clearTimeout(timer)
          this.#heard.delete(heard)
          resolve()
        }
        const timer = setTimeout(done, newsPatience)

        this.#heard.add(heard)
      })
    }

    return isTold()
  }

  /** Does something in one tab at a time; past a time limit anyway, which the service tolerates. */
  oneAtATime(work: () => Promise<void>): Promise<void> {
    const locks = isPage && surroundings.navigator?.locks

    if (!locks) {
      return work()
    }

    return new Promise((resolve, reject) => {
      const patience = new AbortController()
      const timer = setTimeout(() => patience.abort(), longestLock)
      const run = () => {
        clearTimeout(timer)
        return work().then(resolve, reject)
      }

      this.#hurry = () => patience.abort()
      locks
        .request(this.#name, { signal: patience.signal }, () =>
          run().then(() => new Promise((release) => setTimeout(release, longestRelease)))
        )
        .catch(run)
    })
  }

  /** The work that waits for its turn is not to wait any more. */
  hurry(): void {
    this.#hurry()
  }
}
