import { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ObjectId } from 'mongodb'
import type { Job, StoredJob } from './job.js'
import type { OutboxState, OutboxStore } from './outbox-store.js'

/** `dropped`: there was nobody to send it to. */
export type MailOutcome = 'sent' | 'dropped' | 'failed' | 'given up'

export interface OutboxEvents {
  /** An attempt to send a mail was made. */
  attempted: [{ kind: string; outcome: MailOutcome }]
}

export interface OutboxOptions {
  store: OutboxStore
  /** Sends the mail of a job. Returns false if there was nobody to send it to. */
  send: (job: StoredJob) => Promise<boolean>
  /** Called before each poll of the outbox, to collect jobs from elsewhere. */
  collect?: () => Promise<void>
  /** The clock: ms since 1970 */
  now: () => number
  /** Called with a sentence when mail can't be sent, and when it can again. */
  warn: (sentence: string) => void
}

// ms between polls. Requests don't trigger one: its load would reveal whether there is a mail to send
const interval = 500
const concurrency = 4 // mails that a process sends at once, so that a slow one doesn't hold up the rest
const longest = 60_000 // ms for an attempt: SMTP servers answer within seconds or not at all
const firstDelay = 5000 // ms before the second attempt; doubled for each further one
const longestDelay = 30 * 60_000 // ms
const stuckAfter = 5 * 60_000 // ms: mail is usually sent within a second
const closeTimeout = 3000 // ms to wait for mails in progress when the service stops

/** Sends the mails in the outbox in the background, with retries. */
export class Outbox extends EventEmitter<OutboxEvents> {
  readonly #options: OutboxOptions
  readonly #working = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #isFailing = false

  constructor(options: OutboxOptions) {
    super()
    this.#options = options
  }

  /**
   * Adds a mail. Once this resolves, the mail survives a crash.
   *
   * @param life How long to try sending it, ms
   * @param id Set for a job that may have been added before
   */
  add(job: Job, life: number, id?: ObjectId): Promise<void> {
    return this.#options.store.add(job, life, id)
  }

  start(): void {
    this.#timer = setInterval(() => this.#poll(), interval).unref()
  }

  /** Stops sending. A mail that is still being sent afterwards is retried by another process later. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await Promise.race([Promise.all(this.#working), sleep(closeTimeout, undefined, { ref: false })])
  }

  /** Starts working on the jobs that are due now. */
  #poll(): void {
    if (this.#working.size < concurrency) {
      const work = this.#work()
        // Without a database there is nothing to send, and the next poll tries again
        .catch(() => undefined)
        .finally(() => this.#working.delete(work))

      this.#working.add(work)
    }
  }

  async state(): Promise<OutboxState & { isStuck: boolean }> {
    const state = await this.#options.store.state()

    return { ...state, isStuck: state.oldest > stuckAfter }
  }

  async #work(): Promise<void> {
    const { store, collect } = this.#options

    await collect?.()

    for (let job = await store.claim(); job; job = await store.claim()) {
      if (!this.#timer) {
        return store.postpone(job, 0)
      }

      this.#poll()
      await this.#attempt(job)
    }
  }

  async #attempt(job: StoredJob): Promise<void> {
    const { store, now } = this.#options

    if (job.expiresAt.getTime() <= now()) {
      return this.#giveUp(job, 'it has expired')
    }

    try {
      const outcome = (await this.#send(job)) ? 'sent' : 'dropped'

      await store.remove(job)
      this.#report(job, outcome)
    } catch (error) {
      await this.#failed(job, error)
    }
  }

  async #send(job: StoredJob): Promise<boolean> {
    const done = new AbortController()
    const late = sleep(longest, undefined, { ref: false, signal: done.signal }).then(() => {
      throw Object.assign(new Error('No answer in time'), { code: 'ETIMEDOUT' })
    })

    try {
      return await Promise.race([this.#options.send(job), late])
    } finally {
      done.abort()
      late.catch(() => undefined)
    }
  }

  async #failed(job: StoredJob, error: unknown): Promise<void> {
    const delay = Math.min(firstDelay * 2 ** (job.attempts - 1), longestDelay)
    const reason = reasonOf(error)

    if (isRefusal(error) || this.#options.now() + delay >= job.expiresAt.getTime()) {
      return this.#giveUp(job, reason)
    }

    await this.#options.store.postpone(job, delay)
    this.emit('attempted', { kind: job.kind, outcome: 'failed' })

    if (!this.#isFailing) {
      this.#isFailing = true
      this.#options.warn(`Mail can not be sent (${reason}): it is kept, and tried again`)
    }
  }

  async #giveUp(job: StoredJob, reason: string): Promise<void> {
    await this.#options.store.remove(job)
    this.emit('attempted', { kind: job.kind, outcome: 'given up' })
    this.#options.warn(`A mail (${job.kind}) was given up after ${job.attempts} attempts: ${reason}`)
  }

  #report({ kind }: StoredJob, outcome: 'sent' | 'dropped'): void {
    this.emit('attempted', { kind, outcome })

    if (this.#isFailing && outcome === 'sent') {
      this.#isFailing = false
      this.#options.warn('Mail is sent again')
    }
  }
}

/** Whether the server permanently refused this mail (RFC 5321 §4.2.1), rather than mail in general for now. */
function isRefusal(error: unknown): boolean {
  const { code, responseCode = 0 } = error as { code?: unknown; responseCode?: number }

  return (code === 'EENVELOPE' || code === 'EMESSAGE') && responseCode >= 500
}

/** What failed, without the server's own words, which may name the recipient. */
function reasonOf(error: unknown): string {
  const { code, responseCode, name } = error as { code?: unknown; responseCode?: number; name?: string }
  const parts = [typeof code === 'string' ? code : (name ?? 'Error'), responseCode]

  return parts.filter((part) => part !== undefined).join(' ')
}
