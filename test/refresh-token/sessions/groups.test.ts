import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Groups } from '../../../src/refresh-token/sessions/groups.js'

const never = () => new Promise<never>(() => {})

describe('a group that never ends', () => {
  it('fails all of its items after 10 s, and holds up the next group for 1 s', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })

    const sent: number[][] = []
    const groups = new Groups<number, string>((items) => {
      sent.push(items)
      return items.includes(2) ? never() : Promise.resolve(items.map(String))
    })
    const outcomes: string[] = []
    const run = (item: number) =>
      groups.run(item).then(
        (result) => outcomes.push(result),
        ({ name }: Error) => outcomes.push(`${item} ${name}`)
      )

    // given a group that is sent and hangs, with others that come meanwhile
    const all = [run(1), run(2), run(3)]

    await turn()
    assert.deepEqual(sent, [[1], [2, 3]])
    all.push(run(4))
    await turn()
    assert.deepEqual([sent.length, outcomes], [2, ['1']])

    // when a second is over, the next is sent
    t.mock.timers.tick(1000)
    await turn()
    assert.deepEqual([sent.at(-1), outcomes], [[4], ['1', '4']])

    // and when ten are, those that hang fail
    t.mock.timers.tick(9000)
    await Promise.all(all)
    assert.deepEqual(outcomes, ['1', '4', '2 Unavailable', '3 Unavailable'])
    assert.equal(groups.isBusy, false)
  })
})
