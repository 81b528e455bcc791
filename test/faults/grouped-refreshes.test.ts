import * as fc from 'fast-check'
import { MongoClient, ObjectId, type Collection, type Document } from 'mongodb'
import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import { due, members, type Member } from '../support/presentations.js'
import { atOnce, outcome } from '../support/rest.js'
import { goodSecrets, makePlace, type Place, type TestService } from '../support/service.js'
import { decoded } from '../support/tokens.js'

const most = 16 // sessions at once

/** A user with a session, the first token of that and its successor. */
interface Holder {
  userId: ObjectId
  session: Document
  token: string
  root: string
  jti: string
  next: string
}

for (const leeway of ['30s', '0s']) {
  describe(`refreshes of many sessions at once, at two processes, with a leeway of ${leeway}`, () => {
    let place: Place
    let services: TestService[]
    let client: MongoClient
    let users: Collection
    let holders: Holder[]

    before(async () => {
      place = await makePlace()

      const NODE_CONFIG = JSON.stringify({
        rateLimit: false,
        authentication: { 'refresh-token': { leeway } }
      })
      const { MONGODB_URL } = place.environment()

      services = await atOnce(2, () => place.start({ ...goodSecrets, NODE_CONFIG }))
      client = new MongoClient(MONGODB_URL!)
      users = client.db().collection('users')
      holders = await atOnce(most, newHolder)
    })

    after(async () => {
      await client?.close()
      await place?.remove()
    })

    async function newHolder(): Promise<Holder> {
      const rest = services[0]!.client
      const { refreshToken: token, user } = await rest.newLogin()
      const { claims } = decoded(token)
      const next = decoded((await rest.refresh(token)).body.refreshToken).claims.jti
      const userId = new ObjectId(String(user._id))
      const stored = await users.findOne({ _id: userId })

      return { userId, session: stored!.sessions[0], token, root: claims.prev, jti: claims.jti, next }
    }

    const prepare = ({ userId, session, root, jti, next }: Holder, { kind }: Member) => {
      const used = kind === 'reused' ? next : kind === 'repeated' ? jti : root
      const prepared = {
        ...session,
        ...{ used, keys: [], refreshedAt: new Date() },
        ...(kind === 'expired' && { expiresAt: new Date() })
      }

      return users.updateOne(
        { _id: userId },
        { $set: { disabled: kind === 'disabled', sessions: kind === 'ended' ? [] : [prepared] } },
        { writeConcern: { w: 'majority' } }
      )
    }

    async function present({ token }: Holder, at: number): Promise<string> {
      const said = outcome(await services[at]!.client.refresh(token))

      return said === '201' ? 'granted' : said.replace('401 ', '')
    }

    it('answers each as the contract says, whatever comes beside it', async (t: TestContext) => {
      let batches = 0
      let uses = 0
      let untold = 0

      await fc.assert(
        fc.asyncProperty(members(most), async (members) => {
          await Promise.all(members.map((member, index) => prepare(holders[index]!, member)))

          const heard = await Promise.all(
            members.map(({ at }, index) =>
              Promise.all(at.map((process) => present(holders[index]!, process)))
            )
          )
          const stored = await users.find({ 'sessions.keys.0': { $exists: true } }).toArray()

          batches += stored.length > 0 ? 1 : 0
          heard.forEach((outcomes, index) => {
            const expected = due(members[index]!, leeway !== '0s')

            // A use that nobody can tell is answered 503, and ends nothing
            for (const outcome of outcomes.filter((one) => one !== '503')) {
              const place = expected.indexOf(outcome)

              assert.notEqual(place, -1, `${outcomes.join()} for ${JSON.stringify(members[index])}`)
              expected.splice(place, 1)
            }
          })
          uses += heard.flat().length
          untold += heard.flat().filter((one) => one === '503').length
        }),
        { numRuns: 40 }
      )

      t.diagnostic(`${batches} of 40 rounds had batches`)
      assert.ok(batches > 0)
      assert.ok(untold < uses / 20, `${untold} of ${uses} uses were 503`)
    })
  })
}
