import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { caughtUp, disconnectedInTime, heard, isConnected, isSignedIn, socketsOf } from '../support/live.js'
import { newPerson, stored, type Person } from '../support/people.js'
import { atOnce, password, restClient } from '../support/rest.js'
import { poll, type TestSocket } from '../support/socket.js'

const rounds = 5
const many = 20

describe('races over sockets', () => {
  let t: TestApp
  const sockets = socketsOf(() => t.address)
  const unhandled: unknown[] = []
  const note = (error: unknown) => unhandled.push(error)
  const anonymous = () => atOnce(many, () => sockets.anonymous())

  before(async () => {
    process.on('unhandledRejection', note)
    t = await startApp()
  })
  afterEach(async () => {
    sockets.closeAll()
    await poll(() => t.app.io.engine.clientsCount === 0, 'the service to see all sockets go')
    assert.equal((await restClient(t.address).ask('GET', '/health')).status, 200)
    assert.deepEqual(unhandled, [])
  })
  after(async () => {
    process.removeListener('unhandledRejection', note)
    await t.stop()
  })

  for (let round = 1; round <= rounds; round++) {
    it(`${many} sockets refresh one token at once: all succeed, in one session (round ${round})`, async () => {
      const ada = await newPerson(t)
      const all = await anonymous()
      const answers = await Promise.all(all.map((socket) => refresh(socket, ada.refreshToken)))

      assert.ok(answers.every(({ session }) => session.id === ada.session.id))
      assert.equal(new Set(answers.map(({ accessToken }) => accessToken)).size, many)
      assert.equal(new Set(answers.map(({ refreshToken }) => refreshToken)).size, many)
      assert.deepEqual(await Promise.all(all.map(isSignedIn)), Array(many).fill(true))
      assert.equal((await stored(t, ada.email)).sessions.length, 1)

      // One of the successors may be used: a second one ends the session, everywhere
      await refresh(all[0]!, answers[1].refreshToken)
      await assert.rejects(refresh(all[2]!, answers[2].refreshToken), {
        code: 401,
        data: { reason: 'reused' }
      })
      await Promise.all(all.map(disconnectedInTime))
      assert.deepEqual(
        all.map((socket) => heard(socket, 'sessions removed').map(({ id, reason }) => `${id} ${reason}`)),
        all.map(() => [`${ada.session.id} reused`])
      )
    })

    it(`a logout against refreshes: no socket outlives the session (round ${round})`, async () => {
      const ada = await newPerson(t)
      const leaving = await sockets.ofSession(ada)
      const all = await anonymous()
      const [refreshed] = await Promise.all([
        Promise.all(all.map((socket) => outcome(refresh(socket, ada.refreshToken)))),
        delay(2 * round).then(() => leaving.call('remove', 'authentication', null))
      ])

      assert.ok(
        refreshed.every((reason) => ['ok', 'revoked'].includes(reason)),
        String(refreshed)
      )
      await assertNobodyIsSignedIn(ada, all)
      assert.equal(isConnected(leaving), true)
      assert.equal(await isSignedIn(leaving), false)
    })

    it(`sign-ins against the disabling of the account: no socket stays signed in (round ${round})`, async () => {
      const ada = await newPerson(t)
      const all = await anonymous()
      const { accessToken, email } = ada
      const requests = [
        { strategy: 'jwt', accessToken },
        { strategy: 'local', email, password }
      ]
      const [signedIn] = await Promise.all([
        Promise.all(
          all.map((socket, index) => outcome(socket.call('create', 'authentication', requests[index % 2])))
        ),
        delay(4 * round).then(() => t.app.service('users').patch(ada.id, { disabled: true }))
      ])

      assert.ok(
        signedIn.every((reason) => ['ok', 'disabled', 'revoked'].includes(reason)),
        String(signedIn)
      )
      await t.app.service('users').patch(ada.id, { disabled: false })
      await assertNobodyIsSignedIn(ada, all)
    })

    it(`sign-ins against the loss of a role: no socket hears as admin (round ${round})`, async () => {
      const admin = await newPerson(t, 'admin')
      const all = await anonymous()

      await Promise.all([
        ...all.map((socket) => socket.call('create', 'authentication', jwt(admin))),
        delay(round).then(() => t.app.service('users').patch(admin.id, { roles: ['user'] }))
      ])
      await restClient(t.address).signUp()
      await caughtUp(...all)
      assert.deepEqual(
        all.flatMap((socket) => heard(socket, 'users created')),
        []
      )
    })

    it(`sockets that go while they sign in leave nothing behind (round ${round})`, async () => {
      const ada = await newPerson(t)
      const { accessToken, refreshToken, email } = ada
      const all = await anonymous()
      const requests = [
        { strategy: 'jwt', accessToken },
        { strategy: 'refresh-token', refreshToken },
        { strategy: 'local', email, password }
      ]

      await Promise.all(
        all.map(async ({ socket }, index) => {
          socket.emit('create', 'authentication', requests[index % requests.length], () => {})
          await delay(index / 2)
          socket.disconnect()
        })
      )
      // The sign-ins that are under way have ended when this has, which takes as long
      await Promise.all([ada.signIn(), ada.signIn()])
      await delay(100)
      assert.ok(!t.app.channels.includes(`users/${ada.id}`), 'no connection is left in a channel')
    })
  }

  /** What a session that has ended may not do: its sockets are disconnected or signed out, and hear nothing. */
  async function assertNobodyIsSignedIn(person: Person, all: TestSocket[]) {
    assert.deepEqual((await stored(t, person.email)).sessions, [])
    // A second is what the contract allows
    await delay(1000)
    all.forEach(({ events }) => events.splice(0))
    await person.signIn()

    const open = all.filter(isConnected)

    await caughtUp(...open)
    assert.deepEqual(await Promise.all(open.map(isSignedIn)), Array(open.length).fill(false))
    assert.deepEqual(
      open.flatMap(({ events }) => events),
      [],
      'events of a user whose session has ended'
    )
  }
})

const jwt = ({ accessToken }: { accessToken: string }) => ({ strategy: 'jwt', accessToken })

const refresh = (socket: TestSocket, refreshToken: string) =>
  socket.call('create', 'authentication', { strategy: 'refresh-token', refreshToken })

/** `ok`, or why it was refused. */
const outcome = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'ok',
    (error: { data?: { reason?: string }; message: string }) => error.data?.reason ?? error.message
  )
