import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { caughtUp, heard, isConnected, isSignedIn, socketsOf } from '../support/live.js'
import { newPerson, stored, type Person } from '../support/people.js'
import { atOnce } from '../support/rest.js'
import type { TestSocket } from '../support/socket.js'

const rounds = 5
const many = 20

describe('races on one socket', () => {
  let t: TestApp
  const sockets = socketsOf(() => t.address)

  before(async () => {
    t = await startApp()
  })
  afterEach(() => sockets.closeAll())
  after(() => t.stop())

  for (let round = 1; round <= rounds; round++) {
    it(`${many} refreshes at once all succeed (round ${round})`, async () => {
      const ada = await newPerson(t)
      const socket = round % 2 ? await sockets.ofSession(ada) : await sockets.anonymous()
      const answers = await atOnce(many, () => refresh(socket, ada.refreshToken))

      assert.ok(answers.every(({ session }) => session.id === ada.session.id))
      assert.equal(await isSignedIn(socket), true)
      await ada.signIn()
      await socket.next('sessions created')
    })

    it(`two users sign in: the socket is wholly one of them (round ${round})`, async () => {
      const [ada, bob] = await Promise.all([newPerson(t, 'admin'), newPerson(t)])
      const all = await atOnce(many, () => sockets.anonymous())

      await Promise.all(
        all.flatMap((socket, index) =>
          (index % 2 ? [ada, bob] : [bob, ada]).map(({ accessToken }) =>
            socket.call('create', 'authentication', { strategy: 'jwt', accessToken })
          )
        )
      )

      const isAdas = await Promise.all(all.map((socket) => isSessionOf(ada, socket)))
      const rename = ({ ask, id }: Person) => ask('PATCH', `/users/${id}`, { body: { name: 'Somebody' } })

      await Promise.all([rename(ada), rename(bob)])
      await caughtUp(...all)
      all.forEach((socket, index) => {
        const ids = heard(socket, 'users patched').map(({ _id }) => _id)

        // Ada is an admin, and hears of all
        assert.deepEqual(ids.sort(), (isAdas[index] ? [ada.id, bob.id] : [bob.id]).sort())
      })
    })

    it(`a sign-in as another user that fails leaves the first one (round ${round})`, async () => {
      const [ada, bob] = await Promise.all([newPerson(t), newPerson(t)])
      const all = await atOnce(many, () => sockets.ofSession(ada))
      const { accessToken } = bob

      await Promise.all([
        delay(round).then(() => bob.ask('DELETE', '/authentication')),
        ...all.map((socket) =>
          socket.call('create', 'authentication', { strategy: 'jwt', accessToken }).catch(() => {})
        )
      ])
      await delay(100)

      // Those that became Bob's in time went with his session
      const open = all.filter(isConnected)

      assert.deepEqual(
        await Promise.all(open.map(isSignedIn)),
        open.map(() => true)
      )
      await ada.ask('PATCH', `/users/${ada.id}`, { body: { name: 'Ada' } })
      await caughtUp(...open)
      assert.ok(open.every((socket) => heard(socket, 'users patched').length === 1))
    })

    it(`a logout against a refresh: it is signed out (round ${round})`, async () => {
      const ada = await newPerson(t)

      // A user has at most 20 sessions
      await ada.ask('DELETE', '/authentication')

      const all = await atOnce(many, () => sockets.signedIn(ada))

      await Promise.all(
        all.map(async (socket, index) => {
          const refreshing = refresh(socket, socket.login.refreshToken).catch(() => {})

          await delay(index / 2)
          await socket.call('remove', 'authentication', null).catch(() => {})
          await refreshing
        })
      )
      assert.deepEqual((await stored(t, ada.email)).sessions, [])
      await delay(100)
      all.forEach(({ events }) => events.splice(0))
      await ada.signIn()

      const open = all.filter(isConnected)

      await caughtUp(...open)
      assert.ok((await Promise.all(open.map(isSignedIn))).every((signedIn) => !signedIn))
      assert.deepEqual(
        open.flatMap(({ events }) => events),
        []
      )
    })
  }
})

const refresh = (socket: TestSocket, refreshToken: string) =>
  socket.call('create', 'authentication', { strategy: 'refresh-token', refreshToken })

const isSessionOf = async ({ session }: Person, socket: TestSocket): Promise<boolean> =>
  (await socket.call('find', 'sessions')).some(({ id }: { id: string }) => id === session.id)
