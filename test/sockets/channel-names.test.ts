import type { RealTimeConnection } from '@feathersjs/feathers'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'

const users = 5000

describe('a connection', () => {
  let t: TestApp

  before(async () => {
    t = await startApp()
  })
  after(() => t.stop())

  const newConnection = (): RealTimeConnection => ({ provider: 'socketio', headers: {} })
  const members = (name: string) => t.app.channel(name).connections

  it('that disconnects leaves its channels, however it joined them, and no others', () => {
    const [gone, stays] = [newConnection(), newConnection()]

    t.app.channel('one').join(gone, stays)
    t.app.channel('two', 'three').join(gone, stays)
    t.app.channel(['four', 'five']).join(gone)
    t.app.channel('four').leave((connection: RealTimeConnection) => connection === gone)
    t.app.emit('disconnect', gone)

    for (const name of ['one', 'two', 'three', 'four', 'five']) {
      assert.ok(!members(name).includes(gone), name)
    }
    assert.deepEqual(members('two'), [stays])
    t.app.emit('disconnect', gone)
    t.app.emit('logout', {}, { connection: stays })
    assert.deepEqual(members('one'), [])
    t.app.emit('logout', {}, {})
  })

  it('that joins again after all had left is in the new channel', () => {
    const connection = newConnection()

    t.app.channel('again').join(connection).leave(connection)
    t.app.channel('again').join(connection)
    assert.deepEqual(members('again'), [connection])
    t.app.emit('disconnect', connection)
    assert.deepEqual(members('again'), [])
  })

  it('that disconnects takes no longer when many other users are connected', () => {
    const disconnect = () => {
      const connection = newConnection()

      t.app.channel('mine').join(connection)
      t.app.emit('disconnect', connection)
    }
    const timeOf = (work: () => void) => {
      const start = performance.now()

      for (let round = 0; round < 50; round++) {
        work()
      }
      return performance.now() - start
    }

    timeOf(disconnect)
    const alone = timeOf(disconnect)

    for (let user = 0; user < users; user++) {
      t.app.channel(`users/${user}`).join(newConnection())
    }

    const times = [1, 2, 3].map(() => timeOf(disconnect))

    // Feathers' own way takes more than a millisecond for each
    assert.ok(Math.min(...times) < 10 * alone + 20, `${times.join(', ')} ms, where it took ${alone} ms alone`)
  })
})
