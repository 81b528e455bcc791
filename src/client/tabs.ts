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

type Message = { news: News } | { fence: string }

/** The tabs of a browser that share a storage. */
export class Tabs {
  readonly #name: string
  // Two, since a channel does not hear itself
  readonly #inbox: Channel | undefined
  readonly #outbox: Channel | undefined
  #hurry = () => {}
  /** What was heard last. */
  news: News | undefined

  /**
   * @param name Of the item in the storage, too
   * @param onNews Another tab has told, or stored, something
   */
  constructor(name: string, onNews: () => void) {
    const { BroadcastChannel, addEventListener } = surroundings

    this.#name = name

    if (isPage) {
      addEventListener?.('storage', ({ key }) => {
        if (key === name || key === null) {
          onNews()
        }
      })
    }
    if (isPage && BroadcastChannel) {
      this.#inbox = new BroadcastChannel(name)
      this.#outbox = new BroadcastChannel(name)
      this.#inbox.addEventListener('message', ({ data }) => {
        if ((data as { news?: News }).news) {
          this.news = (data as { news: News }).news
          onNews()
        }
      })
    }
  }

  tell(news: News): void {
    this.#post({ news })
  }

  #post(message: Message): void {
    // eslint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin
    this.#outbox?.postMessage(message)
  }

  /** Whether another tab tells, now or soon, of what it stored under a key, or removed. */
  async hears(key: string | null): Promise<boolean> {
    const isTold = () => this.news?.key === key

    await this.#hear(isTold)
    return isTold()
  }

  /** Waits until all that other tabs have told before is heard. */
  #catchUp(): Promise<void> {
    const fence = newKey()
    const caughtUp = this.#hear((data) => data && 'fence' in data && data.fence === fence)

    this.#post({ fence })
    return caughtUp
  }

  /** Waits for a message, though not for long. */
  async #hear(isIt: (data?: Message) => unknown): Promise<void> {
    const inbox = this.#inbox

    if (inbox && !isIt()) {
      await new Promise<void>((resolve) => {
        const listen: Parameters<Channel['addEventListener']>[1] = ({ data }) => {
          if (isIt(data as Message)) {
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
        await this.#catchUp().then(work).then(resolve, reject)
      }

      this.#hurry = () => waiting.abort()
      locks.request(this.#name, { signal: waiting.signal }, run).catch(run)
    })
  }

  /** What waits for its turn is not to wait any more. */
  hurry(): void {
    this.#hurry()
  }
}
