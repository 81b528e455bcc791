import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { withApp } from '../support/app.js'
import { atOnce, restClient, tally } from '../support/rest.js'
import { poll } from '../support/socket.js'
import { limited } from './limits.js'

/** A way to the database that can be cut: connections to it break, or stay open and silent. */
async function cuttableWay() {
  const { hostname, port } = new URL(process.env.MONGODB_URL!)
  const open = new Set<Socket>()
  let state: 'open' | 'broken' | 'silent' = 'open'

  const server = createServer((near) => {
    if (state === 'broken') {
      near.destroy()
      return
    }

    const far = connectTcp(Number(port), hostname)

    for (const [from, to] of [
      [near, far],
      [far, near]
    ] as const) {
      open.add(from)
      from.on('data', (data) => state !== 'silent' && to.write(data))
      from.on('error', () => {})
      from.on('close', () => {
        open.delete(from)
        to.destroy()
      })
    }
  })

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    set(next: typeof state) {
      state = next
      if (state !== 'silent') {
        open.forEach((socket) => socket.destroy())
      }
    },
    close() {
      server.close()
      open.forEach((socket) => socket.destroy())
    }
  }
}

const wrong = { password: 'not the password' }

for (const state of ['broken', 'silent'] as const) {
  describe(`the limit of sign-ins while the database is away (${state})`, () => {
    it('counts in memory, answers in time, and keeps its earlier counts', async () => {
      const way = await cuttableWay()
      const direct = process.env.MONGODB_URL!
      const through = new URL(direct)

      // Else the driver asks the replica set for its address, and goes there
      through.search = '?directConnection=true'
      through.port = String(way.port)
      process.env.MONGODB_URL = through.href

      try {
        await withApp({ settings: limited({ account: { limit: 5, per: '15m' } }) }, async (t) => {
          const client = restClient(t.address)
          const [ada, bob] = await Promise.all([client.signUp(), client.signUp()])

          assert.deepEqual(tally(await atOnce(4, () => client.signIn(ada.email, wrong))), { '401': 4 })

          way.set(state)

          const start = Date.now()
          const away = await atOnce(20, () => client.signIn(bob.email, wrong))

          assert.ok(Date.now() - start < 15_000)
          assert.ok(
            away.every(({ status }) => status === 503 || status === 429),
            JSON.stringify(tally(away))
          )
          assert.equal((await client.signIn(bob.email)).status, 429)

          way.set('open')
          await poll(async () => (await client.ask('GET', '/health')).status === 200, 'the database', 20_000)

          assert.equal((await client.signIn(ada.email, wrong)).status, 401)
          assert.equal((await client.signIn(ada.email)).status, 429)
          assert.equal((await client.signIn(bob.email)).status, 201)
        })
      } finally {
        process.env.MONGODB_URL = direct
        way.close()
      }
    })
  })
}
