import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { violations, type Presentation } from '../support/rotation-model.js'
import { handmade } from '../support/tokens.js'

/** `parent>token`, from when till when, and what came of it. */
function presentation(
  chain: string,
  from: number,
  till: number,
  outcome = 'granted',
  more: Partial<Presentation> = {}
): Presentation {
  const [prev, jti] = chain.split('>') as [string, string]

  return { sid: 'session', prev, jti, from, till, outcome, ...more }
}

const successorOf = (prev: string) => handmade({}, { sid: 'session', prev, jti: 'x' }, { secret: 'secret' })

describe('the model that the tests of faults check rotation with', () => {
  it('accepts what the rules allow', () => {
    const allowed = [
      presentation('root>a', 0, 5, 'granted', { successor: successorOf('a') }),
      presentation('root>a', 1, 9, 'lost'),
      presentation('root>a', 2, 10, 'granted', { successor: successorOf('a') }),
      // Under way together: which came first, nobody can tell
      presentation('a>b', 6, 12),
      presentation('root>a', 11, 20),
      presentation('a>c', 21, 25, 'refused reused'),
      presentation('b>d', 24, 26),
      presentation('b>d', 26, 30, 'refused revoked'),
      presentation('root>z', 40, 41, 'granted', { sid: 'another' })
    ]

    assert.deepEqual(violations(allowed), [])
  })

  const wrong: [string, Presentation[], RegExp][] = [
    ['two successors in use', [presentation('a>b', 0, 1), presentation('a>c', 0, 1)], /2 successors/],
    [
      'a token that comes back to life',
      [presentation('root>a', 0, 1), presentation('a>b', 2, 3), presentation('root>a', 4, 5)],
      /granted again/
    ],
    [
      'a session that comes back to life',
      [presentation('a>c', 0, 1, 'refused reused'), presentation('a>b', 2, 3)],
      /had ended/
    ],
    [
      "another token's successor",
      [presentation('a>b', 0, 1, 'granted', { successor: successorOf('a') })],
      /no successor/
    ]
  ]

  for (const [what, presentations, complaint] of wrong) {
    it(`finds ${what}`, () => {
      const found = violations(presentations)

      assert.equal(found.length, 1, found.join())
      assert.match(found[0]!, complaint)
    })
  }
})
