import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { outcome, restClient, type RestClient } from '../../support/rest.js'

const leeway = 30_000 // ms

/** A refresh token in the hands of whoever: what has become of it, and the tokens that were handed out for it. */
interface Token {
  text: string
  predecessor?: Token
  successors: Token[]
  firstUse?: number
  /** The idempotency keys it was granted under, the last one last. */
  keys: string[]
}

/** Says what the contract says of a token that comes at some time: by what was handed out, not by what is stored. */
function expected({ predecessor, successors, firstUse, keys }: Token, key: string | undefined, now: number) {
  const isUsed = (token: Token) => token.firstUse !== undefined

  if (successors.some(isUsed)) {
    return '401 reused'
  }
  if (firstUse === undefined) {
    // one may be used of the successors of one token
    return predecessor?.successors.some(isUsed) ? '401 reused' : '201'
  }

  return now - firstUse < leeway || (key !== undefined && keys.slice(-4).includes(key)) ? '201' : '401 reused'
}

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      back: fc.integer({ min: 0, max: 4 }),
      key: fc.constantFrom(...'abcdef', undefined)
    })
  },
  { weight: 1, arbitrary: fc.record({ pause: fc.constantFrom(1, leeway - 1, leeway, 24 * 60 * 60_000) }) }
)

describe('a session whose tokens are used in any order, at any time, by anybody', () => {
  let t: TestApp
  let client: RestClient

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
  })

  after(() => t.stop())

  /** Presents a token, and notes what the answer should have done to it. */
  async function present(token: Token, key: string | undefined, tokens: Token[]): Promise<string> {
    const answer = await client.refresh(token.text, key === undefined ? {} : { idempotencyKey: key })

    if (answer.status === 201) {
      const successor: Token = {
        text: answer.body.refreshToken,
        predecessor: token,
        successors: [],
        keys: []
      }

      token.firstUse ??= t.clock.now
      token.successors.push(successor)
      tokens.push(successor)

      if (key !== undefined && !token.keys.slice(-4).includes(key)) {
        token.keys.push(key)
      }
    }

    return outcome(answer)
  }

  it('answers as the contract says', async () => {
    const { email } = await client.signUp()

    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 15 }), async (steps) => {
        const tokens: Token[] = [
          { text: (await client.signIn(email)).body.refreshToken, successors: [], keys: [] }
        ]

        for (const step of steps) {
          if ('pause' in step) {
            t.clock.advance(step.pause)
            continue
          }

          const token = tokens[Math.max(0, tokens.length - 1 - step.back)]!
          const due = expected(token, step.key, t.clock.now)

          assert.equal(await present(token, step.key, tokens), due)

          if (due !== '201') {
            assert.equal(outcome(await client.refresh(tokens.at(-1)!.text)), '401 revoked')
            return
          }
        }
      }),
      { numRuns: 40 }
    )
  })
})
