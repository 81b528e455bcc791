import { randomInt, randomUUID } from 'node:crypto'
import { setTimeout as later } from 'node:timers/promises'
import type { Presentation } from './rotation-model.js'
import { atOnce, restClient, type Answer } from './rest.js'
import { decoded } from './tokens.js'

/** Many clients that refresh on and on, at several instances, and what came of each presentation of a token. */
export interface Refreshing {
  presentations: Presentation[]
  /** What those heard who had done nothing wrong: the reason of a refusal, or any other answer that they should not get. */
  lost: string[]
  /** How many times a spent token was used by a thief, and the session ended by that. */
  robberies: number
  /** Presentations that were granted so far. */
  granted(): number
  /** Lets so many more be granted: all goes on. */
  goOn(times: number, timeout?: number): Promise<void>
  /** Ends it. */
  stop(): Promise<void>
  /** After the end: all but the robbed refresh once more, at each instance. */
  refreshOnceMore(): Promise<void>
}

interface Holder {
  email: string
  refreshToken: string
}

const timeout = 60_000 // ms: how long a client tries to refresh, before it is taken for lost
const pause = 25 // ms between two attempts at instances that do not answer

/**
 * Starts them. `addresses` are the instances; a client goes on at another when one fails, with the token that it has.
 *
 * @param clients `alone` have a session each; `paired` are two in one session, which present a token at once; of
 * `robbed` a thief uses a spent token, over and over, and they sign in again
 */
export async function startRefreshing(
  addresses: string[],
  clients: { alone: number; paired?: number; robbed?: number; rest?: number }
): Promise<Refreshing> {
  const { alone, paired = 0, robbed = 0, rest = 0 } = clients
  const presentations: Presentation[] = []
  const lost: string[] = []
  let robberies = 0
  let isOver = false

  const holders = (count: number) => atOnce(count, () => newHolder(addresses))

  /** One presentation, at one instance. */
  async function present(token: string, key: string | undefined, at: string): Promise<Presentation> {
    const { sid, jti, prev } = decoded(token).claims
    const from = performance.now()
    const answer = await restClient(at)
      .refresh(token, key === undefined ? {} : { idempotencyKey: key })
      .catch(() => undefined)
    const presentation: Presentation = {
      ...{ sid, jti, prev, from, till: performance.now(), outcome: outcomeOf(answer) },
      ...(answer?.status === 201 && { successor: answer.body.refreshToken as string })
    }

    presentations.push(presentation)
    return presentation
  }

  /** What a client does: it repeats until there is an answer. Undefined where it is refused, or gives up. */
  async function refresh(token: string, key = keyOrNone()): Promise<string | undefined> {
    const deadline = performance.now() + timeout
    const first = randomInt(addresses.length)

    for (let attempt = 0; performance.now() < deadline; attempt++) {
      const { outcome, successor } = await present(
        token,
        key,
        addresses[(first + attempt) % addresses.length]!
      )

      if (successor !== undefined) {
        return successor
      }
      if (outcome !== '503' && outcome !== 'lost') {
        lost.push(outcome)
        return undefined
      }

      await later(pause)
    }

    lost.push('gave up')
    return undefined
  }

  async function live(holder: Holder, next: (token: string) => Promise<string | undefined>): Promise<void> {
    while (!isOver) {
      const token = await next(holder.refreshToken)

      if (token === undefined) {
        return
      }

      holder.refreshToken = token
      await later(rest)
    }
  }

  /** Both present it at once, and both get a successor; one is used from then on. */
  async function refreshInPair(token: string): Promise<string | undefined> {
    const tokens = await Promise.all([refresh(token), refresh(token)])

    return tokens.includes(undefined) ? undefined : tokens[randomInt(2)]
  }

  /** The thief has a spent token, or the twin of its successor, and comes second: both are out. */
  async function beRobbed(holder: Holder): Promise<void> {
    while (!isOver) {
      const [mine, stolen] = await Promise.all([refresh(holder.refreshToken), refresh(holder.refreshToken)])
      const next = mine && (await refresh(mine))

      if (!next || !stolen) {
        return
      }

      const heard = await insist(randomInt(2) ? stolen : holder.refreshToken)
      const after = await insist(next)

      // Not always "reused": the one answer that said so may have been lost
      if (/^refused (reused|revoked)$/.test(heard) && after === 'refused revoked') {
        robberies++
      } else {
        lost.push(`the thief heard "${heard}", the robbed one "${after}"`)
      }

      holder.refreshToken = await signIn(addresses, holder.email)
      await later(rest)
    }
  }

  /** Presents a token until there is an answer. */
  async function insist(token: string): Promise<string> {
    for (;;) {
      const { outcome } = await present(token, undefined, addresses[randomInt(addresses.length)]!)

      if (outcome !== '503' && outcome !== 'lost') {
        return outcome
      }

      await later(pause)
    }
  }

  const single = await holders(alone)
  const pairs = await holders(paired)
  const victims = await holders(robbed)
  const lives = [
    ...single.map((holder) => live(holder, refresh)),
    ...pairs.map((holder) => live(holder, refreshInPair)),
    ...victims.map(beRobbed)
  ]
  const granted = () => presentations.filter(({ outcome }) => outcome === 'granted').length

  return {
    presentations,
    lost,
    get robberies() {
      return robberies
    },
    granted,
    async goOn(times, timeout = 60_000) {
      const enough = granted() + times
      const deadline = performance.now() + timeout

      while (granted() < enough) {
        if (lost.length > 0 || performance.now() > deadline) {
          throw new Error(`${enough - granted()} of ${times} refreshes are missing; lost: ${lost.join(', ')}`)
        }
        await later(10)
      }
    },
    async stop() {
      isOver = true
      await Promise.all(lives)
    },
    async refreshOnceMore() {
      for (const address of addresses) {
        await Promise.all(
          [...single, ...pairs].map(async (holder) => {
            const { outcome, successor } = await present(holder.refreshToken, undefined, address)

            if (successor === undefined) {
              lost.push(`at the end: ${outcome}`)
            } else {
              holder.refreshToken = successor
            }
          })
        )
      }
    }
  }
}

/** Half of the clients repeat within the leeway, and need no key. */
const keyOrNone = () => (randomInt(2) ? randomUUID() : undefined)

function outcomeOf(answer: Answer | undefined): string {
  if (!answer) {
    return 'lost'
  }
  if (answer.status === 201) {
    return 'granted'
  }

  return answer.status === 401 ? `refused ${answer.body.data?.reason}` : String(answer.status)
}

async function newHolder(addresses: string[]): Promise<Holder> {
  const { email } = await restClient(addresses[0]!).signUp()

  return { email, refreshToken: await signIn(addresses, email) }
}

async function signIn(addresses: string[], email: string): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    const answer = await restClient(addresses[attempt % addresses.length]!)
      .signIn(email)
      .catch(() => undefined)

    if (answer?.status === 201) {
      return answer.body.refreshToken
    }
    if (answer && answer.status !== 503) {
      throw new Error(`A sign-in is answered by ${answer.status}`)
    }

    await later(pause)
  }
}
