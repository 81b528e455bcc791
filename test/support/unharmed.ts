import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Refreshing } from './refreshing.js'
import { violations } from './rotation-model.js'

const longest = 15_000 // ms that any request may take
const after = 60 // refreshes that have to be granted when the faults are over

/**
 * Whatever the faults: nobody is logged out, no token is honoured against the rules of rotation, nobody hears anything
 * but what the rules say or 503, and that in time. Prints the figures.
 *
 * @param inject Injects the faults, and says what they were
 */
export async function assertUnharmed(
  refreshing: Refreshing,
  t: TestContext,
  inject: () => Promise<string>
): Promise<void> {
  const { presentations, lost } = refreshing
  const [before, robberies] = [presentations.length, refreshing.robberies]
  const faults = await inject()

  await refreshing.goOn(after)

  const since = presentations.slice(before)
  const count = (pattern: RegExp) => since.filter(({ outcome }) => pattern.test(outcome)).length
  const time = Math.round(Math.max(...since.map(({ from, till }) => till - from)))

  t.diagnostic(
    `${count(/granted/)} refreshes, ${faults}: ${count(/503/)} answers 503, the longest after ${time} ms, ` +
      `${refreshing.robberies - robberies} thefts found out, ${lost.length} sessions lost`
  )
  assert.deepEqual(lost, [])
  assert.deepEqual(violations(presentations), [])
  assert.equal(count(/^(granted|refused (reused|revoked)|503)$/), since.length)
  assert.ok(time < longest, `${time} ms`)
}
