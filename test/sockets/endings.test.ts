import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { EndReason } from '../../src/refresh-token/index.js'
import { startApp, type TestApp } from '../support/app.js'
import { caughtUp, disconnectedInTime, heard, isConnected, isSignedIn, socketsOf } from '../support/live.js'
import { newPerson, type Person } from '../support/people.js'
import { password, restClient } from '../support/rest.js'
import { startStandaloneMongod } from '../support/standalone-mongod.js'
import type { TestSocket } from '../support/socket.js'

/** Ada's session ends, seen by two of its sockets, one of her other session, and those that it does not concern. */
interface Scene {
  ada: Person
  /** The body of the sign-in that opened her other session. */
  // eslint-disable-next-line typescript/no-explicit-any -- a test reads what it expects
  other: any
  admin: Person
}

const { MONGODB_URL } = process.env

for (const where of ['here', 'on another instance', 'on another instance, without change streams']) {
  describe(`sessions removed, by what happens ${where}`, () => {
    let t: TestApp
    let elsewhere: TestApp | undefined
    let standalone: Awaited<ReturnType<typeof startStandaloneMongod>> | undefined
    let admin: Person
    let outsiders: TestSocket[]
    const sockets = socketsOf(() => (elsewhere ?? t).address)
    const rest = () => restClient(t.address)

    before(async () => {
      if (where.endsWith('without change streams')) {
        standalone = await startStandaloneMongod()
        process.env.MONGODB_URL = standalone.url
      }

      t = await startApp({ settings: { authentication: { 'refresh-token': { maxSessions: 2 } } } })
      elsewhere = where === 'here' ? undefined : await startApp({ database: t.db.databaseName })
      admin = await newPerson(t, 'admin')
      outsiders = [
        await sockets.ofSession(admin),
        await sockets.ofSession(await newPerson(t)),
        await sockets.anonymous()
      ]
    })
    after(async () => {
      sockets.closeAll()
      await elsewhere?.stop()
      await t.stop()
      await standalone?.stop()
      process.env.MONGODB_URL = MONGODB_URL
    })

    const oneEnds: Partial<Record<EndReason, (scene: Scene) => Promise<unknown>>> = {
      logout: ({ ada }) => ada.ask('DELETE', '/authentication'),
      revoked: ({ ada, other }) =>
        ada.ask('DELETE', `/sessions/${ada.session.id}`, { token: other.accessToken }),
      admin: ({ ada }) => admin.ask('DELETE', `/sessions/${ada.session.id}?userId=${ada.id}`),
      password: ({ ada, other }) =>
        ada.ask('PATCH', `/users/${ada.id}`, {
          token: other.accessToken,
          body: { password: 'another horse battery', currentPassword: password }
        }),
      reused: async ({ ada }) => {
        const { refreshToken } = (await rest().refresh(ada.refreshToken)).body

        await rest().refresh(refreshToken)
        return rest().refresh(ada.refreshToken)
      },
      replaced: ({ ada }) => ada.signIn({ device: { id: 'laptop' } }),
      evicted: async ({ ada, other }) => {
        t.clock.advance(1000)
        await rest().refresh(other.refreshToken)
        return ada.signIn()
      }
    }

    for (const [reason, end] of Object.entries(oneEnds)) {
      it(`with ${reason}: tells the user's sockets, and disconnects those of the session alone`, async () => {
        const { ada, other, ofEnded, ofOther } = await scene()
        const { id } = ada.session

        await end({ ada, other, admin })
        await Promise.all(ofEnded.map(disconnectedInTime))
        await caughtUp(ofOther, ...outsiders)

        for (const socket of ofEnded) {
          assert.deepEqual(heard(socket, 'sessions removed').map(summary), [{ id, reason, current: true }])
          assert.equal(await socket.disconnected(), 'io server disconnect')
        }
        assert.deepEqual(heard(ofOther, 'sessions removed').map(summary), [{ id, reason, current: false }])
        assert.equal(isConnected(ofOther), true)
        assert.equal(await isSignedIn(ofOther), true)
        assertOutsidersHeardNothing()
      })
    }

    it('with revoked: tells the owner who ended one of their sessions over its socket', async () => {
      const { ada, ofEnded, ofOther } = await scene()
      const answer = await ofEnded[0]!.call('remove', 'sessions', ada.session.id)

      assert.equal(answer.current, true)
      await Promise.all(ofEnded.map(disconnectedInTime))
      assert.deepEqual(heard(ofEnded[0]!, 'sessions removed').map(summary), [
        { id: ada.session.id, reason: 'revoked', current: true }
      ])
      assert.equal(isConnected(ofOther), true)
    })

    const allEnd: [EndReason, string, (scene: Scene) => Promise<unknown>][] = [
      ['revoked', 'the owner ends all', ({ ada }) => ada.ask('DELETE', '/sessions')],
      ['admin', 'an admin ends all', ({ ada }) => admin.ask('DELETE', `/sessions?userId=${ada.id}`)],
      [
        'disabled',
        'the account is disabled',
        ({ ada }) => admin.ask('PATCH', `/users/${ada.id}`, { body: { disabled: true } })
      ],
      ['deleted', 'the account is deleted', ({ ada }) => ada.ask('DELETE', `/users/${ada.id}`)],
      ['deleted', 'an admin deletes the account', ({ ada }) => admin.ask('DELETE', `/users/${ada.id}`)],
      [
        'password',
        'an admin sets a new password',
        ({ ada }) => admin.ask('PATCH', `/users/${ada.id}`, { body: { password: 'another horse battery' } })
      ]
    ]

    for (const [reason, what, end] of allEnd) {
      it(`with ${reason}, when ${what}: tells and disconnects all sockets of the user`, async () => {
        const { ada, other, ofEnded, ofOther } = await scene()
        const ids = [ada.session.id, other.session.id].sort()

        await end({ ada, other, admin })
        await Promise.all([...ofEnded, ofOther].map(disconnectedInTime))
        await caughtUp(...outsiders)

        for (const [socket, own] of [
          ...ofEnded.map((socket) => [socket, ada] as const),
          [ofOther, other] as const
        ]) {
          const events = heard(socket, 'sessions removed').map(summary)

          assert.deepEqual(events.map(({ id }) => id).sort(), ids)
          assert.ok(events.every((event) => event.reason === reason))
          assert.deepEqual(
            events.filter(({ current }) => current).map(({ id }) => id),
            [own.session.id]
          )
          assert.equal(await socket.disconnected(), 'io server disconnect')
        }
        assertOutsidersHeardNothing()
      })
    }

    it('ends all but the current one with `current: false` over a socket', async () => {
      const { ada, ofEnded, ofOther } = await scene()
      const ended = await ofOther.call('remove', 'sessions', null, { current: false })

      assert.deepEqual(ended.map(summary), [{ id: ada.session.id, reason: undefined, current: false }])
      await Promise.all(ofEnded.map(disconnectedInTime))
      assert.equal(isConnected(ofOther), true)
    })

    async function scene() {
      const ada = await newPerson(t, 'user', { device: { id: 'laptop' } })

      t.clock.advance(1000)

      const other = await ada.signIn()
      const ofEnded = [await sockets.ofSession(ada), await sockets.ofSession(ada)]
      const ofOther = await sockets.ofSession(other)

      return { ada, other, ofEnded, ofOther }
    }

    function assertOutsidersHeardNothing() {
      assert.deepEqual(
        outsiders.flatMap((socket) => heard(socket, 'sessions removed')),
        []
      )
      assert.ok(outsiders.every(isConnected))
    }
  })
}

const summary = ({ id, reason, current }: { id: string; reason?: string; current: boolean }) => ({
  id,
  reason,
  current
})
