import { Unavailable } from '@feathersjs/errors'

/** The client that makes an attempt which needs a hash. */
export interface Client {
  /** Clients of one address, or group of addresses, share their turns. */
  address: string
  /** Whether somebody has signed in from this address, or with this device, before. */
  isKnown: boolean
}

export interface TurnsOptions {
  /** How many may have their turn at once. */
  concurrency: number
  /** How many may wait. */
  queue: number
}

interface Waiter {
  /** When it came, by performance.now(). */
  since: number
  begin: () => void
  refuse: (error: Error) => void
}

const retryAfter = 2 // s: about what a full queue of the default length takes to empty
const longestWait = 6000 // ms: an attempt that starts later might not finish within the 12 s limit of a call
const reserve = 1 / 4 // of the queue is reserved for known clients

/**
 * Hands out turns by address, round-robin, so an address with many attempts only delays itself. Strangers and known
 * clients alternate. When the queue is full, the address that holds most of it makes room for one that holds less.
 */
export class Turns {
  readonly #options: TurnsOptions
  readonly #known = new Lane()
  readonly #strangers = new Lane()
  #active = 0
  #wasKnown = false // whether the last turn went to a known client

  constructor(options: TurnsOptions) {
    this.#options = options
  }

  /** The number of clients that have their turn. */
  get active(): number {
    return this.#active
  }

  /** The number of clients that wait. */
  get waiting(): number {
    return this.#known.size + this.#strangers.size
  }

  /**
   * Waits for the client's turn.
   *
   * @returns A function that ends the turn
   * @throws Unavailable if others need the place
   */
  async begin({ address, isKnown }: Client): Promise<() => void> {
    const lane = isKnown ? this.#known : this.#strangers

    await new Promise<void>((begin, refuse) => {
      lane.add(address, { since: performance.now(), begin, refuse })
      this.#beginNext()
      this.#makeRoom()
    })

    return () => {
      this.#active--
      this.#beginNext()
    }
  }

  #beginNext(): void {
    if (this.#active >= this.#options.concurrency) {
      return
    }

    const lanes = this.#wasKnown ? [this.#strangers, this.#known] : [this.#known, this.#strangers]
    const lane = lanes.find(({ size }) => size > 0)
    const waiter = lane?.takeNext()

    if (waiter && performance.now() - waiter.since > longestWait) {
      waiter.refuse(tooManyPasswords())
      this.#beginNext()
    } else if (waiter) {
      this.#wasKnown = lane === this.#known
      this.#active++
      waiter.begin()
    }
  }

  #makeRoom(): void {
    const { queue } = this.#options
    const isFull = this.waiting > queue || this.#strangers.size > Math.ceil(queue * (1 - reserve))

    if (isFull) {
      const superfluous = this.#strangers.takeNewestOfMost() ?? this.#known.takeNewestOfMost()

      superfluous!.refuse(tooManyPasswords())
    }
  }
}

/** Waiting clients, by address. */
class Lane {
  readonly #byAddress = new Map<string, Waiter[]>() // in the order of their turns
  size = 0

  add(address: string, waiter: Waiter): void {
    this.#put(address, [...(this.#byAddress.get(address) ?? []), waiter])
    this.size++
  }

  /** Takes the oldest client of the address whose turn it is. That address then comes last. */
  takeNext(): Waiter | undefined {
    const [turn] = this.#byAddress
    const [address, [oldest, ...rest]] = turn ?? ['', []]

    this.#byAddress.delete(address)
    this.#put(address, rest)
    this.size -= oldest ? 1 : 0
    return oldest
  }

  /** Takes the newest client of the address that has the most; in a tie, of the address whose turn is last. */
  takeNewestOfMost(): Waiter | undefined {
    const most = Math.max(...[...this.#byAddress.values()].map(({ length }) => length))
    const [address, waiters] = [...this.#byAddress].findLast(([, { length }]) => length === most) ?? ['', []]
    const newest = waiters.at(-1)

    this.#put(address, waiters.slice(0, -1))
    this.size -= newest ? 1 : 0
    return newest
  }

  #put(address: string, waiters: Waiter[]): void {
    if (waiters.length > 0) {
      this.#byAddress.set(address, waiters)
    } else {
      this.#byAddress.delete(address)
    }
  }
}

/** A 503: too many passwords are waiting to be hashed. */
export const tooManyPasswords = (): Unavailable =>
  new Unavailable('Too many passwords are being checked, try again later', { retryAfter })
