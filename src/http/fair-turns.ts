const atOnce = 4 // with fewer, a service that only one address calls would answer fewer calls

/**
 * Lets each address begin a few things in each turn of the event loop, in order: whoever begins thousands at once only
 * delays itself.
 */
export class FairTurns {
  readonly #begun = new Map<string, number>() // how many things each address has begun in this turn
  readonly #waiting = new Map<string, (() => void)[]>()
  #isNextSet = false

  /**
   * Begins something, now or in a later turn.
   *
   * @param address The group of addresses that share their turns
   */
  take(address: string, begin: () => void): void {
    const waiting = this.#waiting.get(address)

    if (waiting) {
      waiting.push(begin)
    } else if ((this.#begun.get(address) ?? 0) < atOnce) {
      this.#begin(address, begin)
    } else {
      this.#waiting.set(address, [begin])
    }
  }

  #begin(address: string, begin: () => void): void {
    this.#begun.set(address, (this.#begun.get(address) ?? 0) + 1)

    if (!this.#isNextSet) {
      this.#isNextSet = true
      setImmediate(() => this.#nextTurn())
    }

    begin()
  }

  #nextTurn(): void {
    this.#isNextSet = false
    this.#begun.clear()

    for (const [address, waiting] of [...this.#waiting]) {
      const now = waiting.splice(0, atOnce)

      if (waiting.length === 0) {
        this.#waiting.delete(address)
      }

      now.forEach((begin) => this.#begin(address, begin))
    }
  }
}
