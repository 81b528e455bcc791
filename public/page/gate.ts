import type { Client } from './client.js'
import type { ThisDevice } from './device.js'
import { part } from './dom.js'
import type { Passkeys } from './passkeys.js'
import { proof, type Way } from './proof.js'
import { farewell, type ServiceError } from './words.js'

/** What the service asks for after the first step of a sign-in. */
export interface Challenge {
  challenge: string
  factors: string[]
  /** That of the first step. */
  device?: ThisDevice
}

/** Reads the challenge from the URL after OAuth and removes it, so that it stays neither there nor in the history. */
export function takeChallenge(): Challenge | undefined {
  const fragment = new URLSearchParams(location.hash.slice(1))
  const challenge = fragment.get('factor')

  if (!challenge) {
    return undefined
  }

  history.replaceState(null, '', location.pathname)
  return { challenge, factors: (fragment.get('factors') ?? '').split(',') }
}

/**
 * The second step of a sign-in.
 *
 * @param over Called when the challenge is no longer good, with the reason in words
 */
export function gate(app: Client, browser: Passkeys, { over }: { over: (why: string) => void }) {
  const card = part('gate')
  const step = proof(answer)
  let asked: Challenge | undefined

  part('gate-other').before(step.element)

  async function answer(way: Way, { code = '' }: Record<string, string>): Promise<void> {
    const { challenge, device } = asked!

    try {
      await app.authenticate({
        strategy: way,
        ...(way === 'passkey' ? await browser.use('factor', challenge) : { challenge, code: code.trim() }),
        ...(device && { device })
      })
    } catch (error) {
      const { reason = 'invalid' } = (error as ServiceError).data ?? {}

      if (reason !== 'invalid') {
        close()
        over(
          reason === 'expired'
            ? 'That took too long, or there were too many tries. Sign in again.'
            : farewell(reason)
        )
      }

      throw error
    }
  }

  function close(): void {
    asked = undefined
    step.clear()
  }

  return {
    card,
    get isOpen(): boolean {
      return asked !== undefined
    },
    open(challenge: Challenge): void {
      asked = challenge
      step.ask(challenge.factors)
    },
    focus: () => step.focus(),
    close
  }
}
