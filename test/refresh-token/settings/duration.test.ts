import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toMilliseconds } from '../../../src/refresh-token/settings/duration.js'

const durations: [unknown, number | undefined][] = [
  ['15m', 900_000],
  ['30d', 2_592_000_000],
  ['1.5 hours', 5_400_000],
  ['500ms', 500],
  ['2 Days', 172_800_000],
  ['0s', 0],
  [0, 0],
  [90, 90_000],
  [0.5, 500],
  ['99y', 3_124_202_400_000],
  // jsonwebtoken would read a text without a unit as milliseconds
  ['120', undefined],
  ['', undefined],
  ['m', undefined],
  ['soon', undefined],
  ['15 parsecs', undefined],
  ['15m 30s', undefined],
  ['-1d', undefined],
  [-1, undefined],
  ['101y', undefined],
  [1e300, undefined],
  [Infinity, undefined],
  [NaN, undefined],
  [`${'1'.repeat(100)}s`, undefined],
  [true, undefined],
  [null, undefined],
  [undefined, undefined],
  [['15m'], undefined],
  [{ valueOf: () => 1 }, undefined]
]

describe('a duration', () => {
  for (const [written, read] of durations) {
    const shown = typeof written === 'object' ? JSON.stringify(written) : String(written)

    it(`${typeof written} ${shown} is ${read === undefined ? 'none' : `${read} ms`}`, () => {
      assert.equal(toMilliseconds(written), read)
    })
  }
})
