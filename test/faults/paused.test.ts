import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'
import { MongoClient, ObjectId } from 'mongodb'
import { openLine } from '../support/line.js'
import { rounds } from '../support/race.js'
import { makePlace, type Place } from '../support/service.js'
import { until } from '../support/until.js'

const maxStale = 200 // ms

describe('a service that is stopped for a while, as with its machine', () => {
  let place: Place
  let database: MongoClient

  before(async () => {
    place = await makePlace()
    database = new MongoClient(place.environment().MONGODB_URL!)
  })
  after(async () => {
    await database.close()
    await place.remove()
  })

  it('does not trust what it had cached, even if changes are still unread', async () => {
    const { data } = JSON.parse(place.environment().NODE_CONFIG!)
    const cache = { maxStale: `${maxStale}ms` }
    const { address, client, pid } = await place.start({
      NODE_CONFIG: JSON.stringify({ data, authentication: { 'refresh-token': { cache } } })
    })
    const line = await openLine(address)

    await until(
      'the change stream is heard',
      async () => (await client.ask('GET', '/ready')).body.changes === 'fresh'
    )
    await rounds(async () => {
      const { accessToken: token, user } = await client.newLogin()
      const ask = () => line.ask('GET', '/content/user', { token })

      for (let time = 0; time < 5; time++) {
        assert.equal((await ask()).status, 200)
        await later(20)
      }

      process.kill(pid, 'SIGSTOP')
      // The database answers the waiting stream that nothing has changed; and then something does
      await later(maxStale)
      await database
        .db()
        .collection('users')
        .updateOne({ _id: new ObjectId(user._id as string) }, { $set: { sessions: [] } })
      const answer = ask()

      await later(maxStale)
      process.kill(pid, 'SIGCONT')
      assert.equal((await answer).status, 401)
    })
    line.close()
  })
})
