const largest = 500 // items: what is sent at once must not hold up the event loop
const longest = 1000 // ms that one group holds up the next: it may wait for another's transaction

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

  /** @param send Answers a result for each item, in their order; when it fails, all fail */
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

      const sent = this.#send(group.map(({ item }) => item)).then(
        (results) => group.forEach(({ resolve }, index) => resolve(results[index]!)),
        (error: unknown) => group.forEach(({ reject }) => reject(error))
      )

      await endOrLong(sent)
    }

    this.#isBusy = false
  }
}

/** Resolves at the end, or when that takes too long. */
async function endOrLong(sent: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, longest)))

  await Promise.race([sent, late])
  clearTimeout(timer)
}
