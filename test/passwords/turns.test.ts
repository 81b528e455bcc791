import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Turns, type Client } from '../../src/passwords/turns.js'

/** Turns whose work is done by hand, and the order in which it began. */
function manualTurns(queue: number, concurrency = 1) {
  const turns = new Turns({ concurrency, queue })
  const begun: string[] = []
  const refused: string[] = []
  const finish: (() => void)[] = []

  return {
    turns,
    begun,
    refused,
    async ask(name: string, { address = name, isKnown = false }: Partial<Client> = {}) {
      const note = (end: () => void) => {
        begun.push(name)
        finish.push(end)
      }

      turns.begin({ address, isKnown }).then(note, () => refused.push(name))
      await settled()
    },
    /** Finishes what runs, again and again, until all have had their turn. */
    async finishAll() {
      while (finish.length > 0) {
        finish.shift()!()
        await settled()
      }
    }
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('turns', () => {
  it('rotate between addresses, regardless of how often one asks', async () => {
    const { ask, begun, finishAll } = manualTurns(100)

    for (const name of ['a1', 'a2', 'a3', 'a4']) {
      await ask(name, { address: 'a' })
    }
    await ask('b1', { address: 'b' })
    await ask('c1', { address: 'c' })
    await ask('b2', { address: 'b' })
    await finishAll()

    assert.deepEqual(begun, ['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4'])
  })

  it('go to known clients and to strangers alternately', async () => {
    const { ask, begun, finishAll } = manualTurns(100)

    for (const name of ['s1', 's2', 's3', 's4']) {
      await ask(name)
    }
    for (const name of ['k1', 'k2']) {
      await ask(name, { isKnown: true })
    }
    await finishAll()

    assert.deepEqual(begun, ['s1', 'k1', 's2', 'k2', 's3', 's4'])
  })

  it('run at once up to the limit', async () => {
    const { ask, begun, turns, finishAll } = manualTurns(100, 3)

    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      await ask(name)
    }

    assert.deepEqual(begun, ['a', 'b', 'c'])
    assert.deepEqual([turns.active, turns.waiting], [3, 2])
    await finishAll()
    assert.deepEqual([turns.active, turns.waiting], [0, 0])
  })

  it('are refused to the address with the most waiting, when others need the place', async () => {
    const { ask, begun, refused, finishAll } = manualTurns(4)

    await ask('running')
    for (const name of ['a1', 'a2', 'a3']) {
      await ask(name, { address: 'a' })
    }
    assert.deepEqual(refused, [])
    await ask('a4', { address: 'a' })
    await ask('b')
    await ask('c')
    assert.deepEqual(refused, ['a4', 'a3', 'a2'])
    // Now all have one each
    await ask('d')
    assert.deepEqual(refused, ['a4', 'a3', 'a2', 'd'])
    await finishAll()
    assert.deepEqual(begun, ['running', 'a1', 'b', 'c'])
  })

  it('are partly reserved for known clients, and strangers make room first', async () => {
    const { ask, refused } = manualTurns(4)
    const known = { isKnown: true }

    await ask('running')
    for (const name of ['s1', 's2', 's3', 's4']) {
      await ask(name)
    }
    assert.deepEqual(refused, ['s4'])
    for (const name of ['k1', 'k2', 'k3', 'k4']) {
      await ask(name, known)
    }
    assert.deepEqual(refused, ['s4', 's3', 's2', 's1'])
    await ask('k5', known)
    assert.deepEqual(refused.at(-1), 'k5')
  })

  it('are refused at once if none may wait', async () => {
    const { ask, begun, refused } = manualTurns(0)

    await ask('a')
    await ask('b')
    await ask('c', { isKnown: true })
    assert.deepEqual([begun, refused], [['a'], ['b', 'c']])
  })

  it('are refused to those who have waited for too long', async (t) => {
    const { ask, begun, refused, finishAll } = manualTurns(4)
    const start = performance.now()

    await ask('a')
    await ask('b')
    t.mock.method(performance, 'now', () => start + 7000)
    await ask('c')
    await finishAll()
    assert.deepEqual([begun, refused], [['a', 'c'], ['b']])
  })
})
