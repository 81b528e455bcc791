import assert from 'node:assert/strict'
import { MongoClient, ObjectId, Timestamp } from 'mongodb'
import { after, before, describe, it } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'
import { startApp, type TestApp } from '../support/app.js'
import { newPerson } from '../support/people.js'
import { startReplicaSet, type Member, type ReplicaSet } from '../support/replica-set.js'
import { rounds } from '../support/race.js'

const usual = process.env.MONGODB_URL

// Right after a failover, the new primary has all that the old one announced, but doesn't know yet that the majority has
// it, so a read of what the majority has is older. The same state without the luck of an election: the other members
// stand still for a moment, and the change is heard all the same.

describe('a change that was heard, which the majority does not have as far as the primary knows', () => {
  let set: ReplicaSet
  let t: TestApp

  before(async () => {
    set = await startReplicaSet()
    process.env.MONGODB_URL = set.url
    t = await startApp()
  })
  after(async () => {
    await t?.stop()
    await set?.remove()
    process.env.MONGODB_URL = usual
  })

  /** Disables a user on the primary alone. Returns when, as the cluster counts it. */
  async function disable(primary: Member, id: string): Promise<Timestamp> {
    const client = new MongoClient(`mongodb://127.0.0.1:${primary.port}/?directConnection=true`)
    const users = client.db(t.db.databaseName).collection('users')

    try {
      return await client.withSession(async (session) => {
        await users.updateOne(
          { _id: new ObjectId(id) },
          { $set: { disabled: true } },
          { session, writeConcern: { w: 1 } }
        )

        return session.operationTime!
      })
    } finally {
      await client.close()
    }
  }

  it('is in every answer from the cache, which waits for it', () =>
    rounds(async () => {
      const ada = await newPerson(t)
      const { changes } = t.app.service('authentication').live
      const primary = await set.primary()
      const others = set.members.filter((member) => member !== primary)

      assert.equal((await ada.ask('GET', '/content/user')).status, 200)
      others.forEach((member) => member.freeze())

      try {
        const clusterTime = await disable(primary, ada.id)

        const change = { operation: 'update' as const, fields: ['disabled'], at: undefined }

        changes.emit('changed', { ...change, userId: ada.id, clusterTime })
        // An older one, which comes late, changes nothing
        changes.emit('changed', {
          ...change,
          userId: String(new ObjectId()),
          clusterTime: new Timestamp({ t: 1, i: 1 })
        })

        const answer = ada.ask('GET', '/content/user')

        // One that is older would come at once
        await Promise.race([answer, later(200)])
        others.forEach((member) => member.thaw())
        assert.equal((await answer).body.data?.reason, 'disabled')
        assert.equal((await ada.ask('GET', '/content/user')).body.data?.reason, 'disabled')
      } finally {
        others.forEach((member) => member.thaw())
      }
    }))
})
