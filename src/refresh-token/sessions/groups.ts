import { unavailable } from '../database-errors.js'

const largest = 500 // items: what is sent at once must not hold up the event loop
const longest = 1000 // ms that one group holds up the next: it may wait for another's transaction
const giveUp = 10_000 // ms: the driver never settles a long command whose connection is closed while it is written

interface Waiting<Item, Result> {
  item: Item
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

/**
 * Group commit: while one group is under way, gathers what comes, and sends it as the next. So the more there is to do,
 * the less each item costs, and what comes alone waits for nothing. A group that takes long no longer holds up the next.
 */
export class Groups<Item, Result> {
  readonly #send: (items: Item[]) => Promise<Result[]>
  readonly #waiting: Waiting<Item, Result>[] = []
  #isBusy = false

  /** @param send Answers a result for each item, in their order; when it fails or never ends, all fail */
  constructor(send: (items: Item[]) => Promise<Result[]>) {
    this.#send = send
  }

  get isBusy(): boolean {
    return this.#isBusy
  }

  run(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })

      if (!this.#isBusy) {
        void this.#sendWaiting()
      }
    })
  }

  async #sendWaiting(): Promise<void> {
    this.#isBusy = true

    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, largest)

      const results = endOrGiveUp(this.#send(group.map(({ item }) => item)))
      const sent = results.then(
        (results) => group.forEach(({ resolve }, index) => resolve(results[index]!)),
        (error: unknown) => group.forEach(({ reject }) => reject(error))
      )

      await endOrLong(sent)
    }

    this.#isBusy = false
  }
}

/** Resolves at the end, or when that takes too long. */
const endOrLong = (sent: Promise<void>): Promise<void> => within(longest, sent, (resolve) => resolve())

/** @throws Unavailable when there is no end */
const endOrGiveUp = <T>(sent: Promise<T>): Promise<T> =>
  within(giveUp, sent, (_resolve, reject) => reject(unavailable()))

async function within<T>(
  ms: number,
  work: Promise<T>,
  late: (resolve: (value: T) => void, reject: (error: Error) => void) => void
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const isLate = new Promise<T>((resolve, reject) => (timer = setTimeout(() => late(resolve, reject), ms)))

  try {
    return await Promise.race([work, isLate])
  } finally {
    clearTimeout(timer)
  }
}
