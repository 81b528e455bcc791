import type { AuthenticationRequest } from '@feathersjs/authentication'
import { MemoryStorage } from '@feathersjs/authentication-client'
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { newPerson } from '../support/people.js'
import { rounds } from '../support/race.js'
import { refreshTransports, sessionItem, signedIn, type RefreshClient } from '../support/refresh-clients.js'
import { atOnce, password, restClient } from '../support/rest.js'
import { until } from '../support/until.js'

const minutes = 60_000 // ms

for (const [name, connectTo] of Object.entries(refreshTransports)) {
  describe(`on the ${name}`, () => {
    let t: TestApp
    let gate: { open(): void; opened: Promise<void>; asked: number } | undefined
    const open: RefreshClient[] = []

    before(async () => {
      t = await startApp()
      t.app.service('authentication').hooks({
        around: {
          create: [
            async (context, next) => {
              await next()

              // The answer is held back: what was asked is done
              if ((context.data as AuthenticationRequest).strategy === 'refresh-token' && gate) {
                gate.asked++
                await gate.opened
              }
            }
          ]
        }
      })
    })
    beforeEach(() => {
      gate = undefined
    })
    afterEach(() => open.splice(0).forEach(({ close }) => close()))
    after(() => t.stop())

    const connect = (options = {}) => {
      const one = connectTo(t.address, { options: { clock: { now: () => t.clock.now }, ...options } })

      open.push(one)
      return one
    }
    const holdAnswers = () => {
      let release = () => {}
      const opened = new Promise<void>((resolve) => (release = resolve))

      return (gate = { open: release, opened, asked: 0 })
    }

    it('a sign-out while a refresh is under way is final, and ends the session', async () => {
      const one = connect()
      const { person, login } = await signedIn(t, one)
      const held = holdAnswers()

      t.clock.advance(15 * minutes)

      const call = one.client.service('sessions').find()

      call.catch(() => {})
      await until('the refresh', () => held.asked === 1)

      const signedOut = one.client.logout()

      held.open()
      await signedOut
      await Promise.allSettled([call])
      assert.equal(await one.storage.getItem(sessionItem), undefined)
      assert.equal(one.client.get('authentication'), null)
      assert.equal(one.heard('logout'), 1)
      assert.equal(one.heard('session-ended'), 0)
      await assert.rejects(one.client.reAuthenticate(), { name: 'NotAuthenticated' })

      const { accessToken } = await person.signIn()
      const { body } = await restClient(t.address).ask('GET', '/sessions', { token: accessToken })

      assert.ok(!JSON.stringify(body).includes(login.session.id), 'it has ended on the service')
    })

    it('a late answer does not sign a user in again who has signed out', async () => {
      const one = connect()

      await signedIn(t, one)
      t.clock.advance(13.9 * minutes)

      const held = holdAnswers()

      // The token is still good: nobody waits for this refresh
      one.authentication.wake()
      await until('the refresh', () => held.asked === 1)
      await one.client.logout()
      held.open()
      await until('the late answer', async () => {
        await new Promise((resolve) => setTimeout(resolve, 100))
        return true
      })
      assert.equal(await one.storage.getItem(sessionItem), undefined)
      assert.equal(one.client.get('authentication'), null)
      assert.deepEqual(
        one.events.map(([name]) => name),
        ['login', 'authenticated', 'logout']
      )
      await assert.rejects(one.client.service('sessions').find(), { name: 'NotAuthenticated' })
    })

    it('a late answer does not replace a user who has signed in since', async () => {
      const one = connect()

      await signedIn(t, one)
      t.clock.advance(13.9 * minutes)

      const held = holdAnswers()

      one.authentication.wake()
      await until('the refresh', () => held.asked === 1)

      const other = await newPerson(t)

      await signedIn(t, one, other)
      held.open()
      await new Promise((resolve) => setTimeout(resolve, 100))
      assert.equal((await one.client.get('authentication')).user._id, other.id)
      assert.equal((await one.client.service('users').get(other.id))._id, other.id, 'also to the service')
    })

    it('of two sign-ins at once the later one counts, here and to the service', async () => {
      await rounds(async () => {
        const one = connect()
        const people = [await newPerson(t), await newPerson(t)]
        const answers = await Promise.all(
          people.map(({ email }) => one.client.authenticate({ strategy: 'local', email, password }))
        )

        assert.deepEqual(
          answers.map(({ user }) => user._id),
          people.map(({ id }) => id)
        )
        assert.equal((await one.client.get('authentication')).user._id, people[1]!.id)
        assert.equal((await one.client.service('users').get(people[1]!.id))._id, people[1]!.id)

        const again = connect({ storage: one.storage })

        assert.equal((await again.client.reAuthenticate()).user._id, people[1]!.id)
      }, 3)
    })

    it('a sign-in that fails leaves the earlier user signed in', async () => {
      const one = connect()
      const { person, login } = await signedIn(t, one)

      await assert.rejects(
        one.client.authenticate({ strategy: 'local', email: person.email, password: 'wrong horse' }),
        { name: 'NotAuthenticated' }
      )
      assert.equal((await one.client.get('authentication')).accessToken, login.accessToken)
      assert.equal((await one.client.service('sessions').find()).length, 2)
    })

    for (const [what, storage] of [
      ['throws', () => Object.fromEntries(['getItem', 'setItem', 'removeItem'].map((name) => [name, fails]))],
      [
        'rejects',
        () => Object.fromEntries(['getItem', 'setItem', 'removeItem'].map((name) => [name, rejects]))
      ],
      ['can not be written to', () => Object.assign(new MemoryStorage(), { setItem: fails })],
      ['is slow', slowStorage],
      ['holds rubbish', () => Object.assign(new MemoryStorage(), { store: { [sessionItem]: '{"key":' } })]
    ] as const) {
      it(`works with a storage that ${what}`, async () => {
        const one = connect({ storage: storage() })

        await signedIn(t, one)

        for (let round = 0; round < 3; round++) {
          t.clock.advance(15 * minutes)
          assert.ok(
            (await atOnce(5, () => one.client.service('sessions').find())).every(({ length }) => length === 2)
          )
        }

        await one.client.logout()
        await assert.rejects(one.client.service('sessions').find(), { name: 'NotAuthenticated' })
        assert.equal(one.heard('session-ended'), 0)
      })
    }

    it('a sign-out is final, in a storage that is slow', async () => {
      await rounds(async () => {
        const one = connect({ storage: slowStorage() })

        await signedIn(t, one)
        t.clock.advance(13.9 * minutes)

        const held = holdAnswers()

        one.authentication.wake()
        await until('the refresh', () => held.asked === 1)

        const signOut = one.client.logout()

        held.open()
        // The service may hang up on the session before it has answered
        await signOut.catch(({ code }) => assert.equal(code, 503))
        await new Promise((resolve) => setTimeout(resolve, 100))
        assert.equal(one.client.get('authentication'), null)
        assert.equal(await one.storage.getItem(sessionItem), undefined)
        assert.equal(one.heard('session-ended'), 0)
      }, 2)
    })

    it('two apps that share a storage, without locks, share a session', async () => {
      const one = connect()
      const { person } = await signedIn(t, one)
      const other = connect({ storage: one.storage })

      await other.client.reAuthenticate()
      await rounds(async () => {
        t.clock.advance(15 * minutes)

        const answers = await Promise.all([one, other].map(({ client }) => client.service('sessions').find()))

        assert.deepEqual(
          answers.map(({ length }) => length),
          [2, 2]
        )
      }, 20)
      assert.equal(one.heard('session-ended') + other.heard('session-ended'), 0)
      assert.equal((await person.ask('GET', '/health')).status, 200)
    })
  })
}

function fails(): never {
  throw new Error('The quota has been exceeded')
}

const rejects = () => Promise.reject(new Error('The storage is broken'))

function slowStorage() {
  const memory = new MemoryStorage()
  const slowly = <T>(work: () => T) => new Promise<T>((resolve) => setTimeout(() => resolve(work()), 10))

  return {
    getItem: (key: string) => slowly(() => memory.getItem(key)),
    setItem: (key: string, value: string) => slowly(() => memory.setItem(key, value)),
    removeItem: (key: string) => slowly(() => memory.removeItem(key))
  }
}
