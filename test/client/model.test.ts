import { MemoryStorage } from '@feathersjs/authentication-client'
import * as fc from 'fast-check'
import type { AuthenticationResult } from '@feathersjs/authentication'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { World, type Tab } from '../support/client-model.js'
import { restRefreshClient, signedIn } from '../support/refresh-clients.js'

const minutes = 60_000 // ms
const runs = 10_000 // for each of both kinds of client
const seed = 20260917

const users = ['ada', 'bob'] as const

/** What may happen, to which tab, and how. */
const happenings = fc.array(
  fc.record({
    what: fc.oneof(
      { weight: 12, arbitrary: fc.constant('go on' as const) },
      {
        weight: 6,
        arbitrary: fc.constantFrom('call', 'renew', 'wake', 'time', 'tick', 'expire' as const)
      },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          'sign in',
          'sign out',
          'open a tab',
          'close a tab',
          'sleep',
          'break the storage',
          'mend the storage',
          'clear the storage',
          'restore the storage',
          'lose the channel',
          'listen' as const
        )
      }
    ),
    tab: fc.nat(5),
    which: fc.nat(9),
    outcome: fc.constantFrom('ok', 'ok', 'ok', 'lost', 'unheard', 'false' as const)
  }),
  { minLength: 10, maxLength: 60 }
)

type Happening = typeof happenings extends fc.Arbitrary<(infer T)[]> ? T : never

function happen(world: World, { what, tab: number, which, outcome }: Happening): void {
  const tab = world.tabs[number % world.tabs.length]!

  switch (what) {
    case 'go on': {
      const { operations } = world

      operations[which % operations.length]?.finish(outcome)
      break
    }
    case 'call':
      // As every call does
      if (tab.state.kept && (!tab.state.result || world.now >= tab.state.expiresAt)) {
        tab.need()
      }
      break
    case 'renew':
      tab.need(true)
      break
    case 'wake':
      tab.wake()
      break
    case 'tick':
      tab.dispatch(['tick'])
      break
    case 'time':
      world.settleLate()
      world.now += (which + 1) * 5000
      world.tabs.forEach((tab) => tab.dispatch(['tick']))
      break
    case 'expire':
      world.settleLate()
      world.now += 15 * minutes
      break
    case 'sleep':
      world.settleLate()
      world.now += which * 60 * minutes
      break
    case 'sign in':
      tab.signIn(users[which % 2]!)
      break
    case 'sign out':
      tab.signOut()
      break
    case 'open a tab':
      if (world.tabs.length < 4) {
        world.open().start()
      }
      break
    case 'close a tab':
      if (world.tabs.length > 1) {
        world.close(tab)
      }
      break
    case 'break the storage':
      world.fault = (['full', 'read-only', 'denied'] as const)[which % 3]!
      world.wasCleared ||= world.cookie
      break
    case 'mend the storage':
      world.fault = 'none'
      break
    case 'clear the storage':
      if (world.fault === 'none' || world.fault === 'full') {
        world.earlier = world.stored
        world.stored = which % 2 ? undefined : '{"theirs":true}'
        world.wasCleared = true
      }
      break
    case 'restore the storage':
      if (
        world.fault === 'none' &&
        world.earlier &&
        world.tabs.some((tab) => tab.hasReplaced(world.earlier!))
      ) {
        world.stored = world.earlier
      }
      break
    case 'lose the channel':
      world.hasChannel = false
      break
    case 'listen':
      tab.onEmit = (name) => {
        if (name !== 'login') {
          tab.onEmit = () => {}
          tab.need()
          tab.wake()
        }
      }
  }
}

/** What holds at any time. */
function check(world: World): void {
  for (const { state, operations } of world.tabs) {
    const { kept, result } = state

    // A sign-in shows when it is stored
    if (kept?.refreshToken && result && !operations.some(({ what }) => what === 'save')) {
      assert.equal(kept.refreshToken.split('/')[0], result.session.id, 'two sessions are mixed')
    }
    if (result) {
      const session = world.service.sessions.get(result.session.id)!

      assert.equal(result.user, session.user, 'two users are mixed')
    }
  }
  for (const { id, end } of world.service.sessions.values()) {
    // Where nothing can be kept beside a cookie, the key of an answer that was lost is lost with it
    const isFine = (world.cookie && world.wasCleared) || world.signedOut.has(id)

    assert.ok(end !== 'reused' || isFine, `${id} was ended by accident`)
  }
}

/** What holds when everything has come to an end, and the network and the storage are well. */
function checkEnd(world: World): void {
  world.fault = 'none'
  world.settle()

  for (let round = 0; round < 3; round++) {
    world.now += 11 * minutes
    world.tabs.forEach((tab) => tab.wake())
    world.settle()
  }

  check(world)

  const { asked } = world.service

  world.tabs.forEach((tab) => tab.need(true))
  world.settle()
  assert.ok(world.service.asked - asked <= 5 * world.tabs.length, 'the service is asked again and again')

  if (!world.cookie) {
    const held = JSON.stringify([world.stored, world.tabs.map(({ state }) => state)])

    for (const { id, end } of world.service.sessions.values()) {
      assert.ok(end || world.abandoned.has(id) || held.includes(`${id}/`), `nobody has ended ${id}`)
    }
  }

  for (const tab of world.tabs) {
    assert.equal(tab.waiting, 0, 'somebody waits for ever')
    assert.equal(tab.state.refresh, undefined)
    checkTab(world, tab)
  }
}

function checkTab(world: World, { state, heard }: Tab): void {
  let session: string | undefined

  for (const [name, data] of heard) {
    if (name === 'login') {
      session = (data as AuthenticationResult).session.id
    } else if (name === 'refreshed') {
      assert.equal((data as AuthenticationResult).session.id, session, 'two sessions are mixed')
    }
  }

  const isOut = (id: string) => world.signedOut.has(id)

  if (state.result && state.kept) {
    assert.ok(!isOut(state.result.session.id), 'signed in after a sign-out')
  }

  // Every end that the app was told of has a cause
  for (const [name, data] of heard) {
    if (name === 'session-ended') {
      // A late answer to another tab may bring the cookie of an earlier session back
      const isReplaced = world.cookie && world.service.sessions.size > 1

      assert.ok(
        world.signOuts > 0 || world.wasCleared || isReplaced,
        `ended as ${String(data)} without a cause`
      )
    } else if (name === 'logout') {
      assert.ok(world.signOuts > 0 || world.wasCleared, 'signed out, and nobody did')
    }
  }
}

for (const cookie of [false, true]) {
  describe(`the core of the client${cookie ? ', with a cookie' : ''}`, () => {
    it(`keeps its guarantees in ${runs} random sequences`, () => {
      fc.assert(
        fc.property(happenings, (story) => {
          const world = new World(cookie)

          world.open().start()
          world.open().start()

          for (const happening of story) {
            happen(world, happening)
            check(world)
          }

          checkEnd(world)
        }),
        { numRuns: runs, seed, includeErrorInReport: true }
      )
    })
  })
}

describe('the real service', () => {
  let t: TestApp

  before(async () => {
    t = await startApp()
  })
  after(() => t.stop())

  const falseAnswers = ['{"status":"maintenance"}', '{"accessToken":"x"}', '{"accessToken":""}', 'null']
  let falseCount = 0

  const stories = fc.sample(
    fc.array(
      fc.record({
        what: fc.constantFrom(
          'expire',
          'expire',
          'call',
          'call',
          'restart',
          'full',
          'mend',
          'listener' as const
        ),
        answer: fc.constantFrom('ok', 'ok', 'lost', 'unheard', 'false' as const)
      }),
      { minLength: 8, maxLength: 20 }
    ),
    { numRuns: 25, seed }
  )

  for (const [index, story] of stories.entries()) {
    it(`confirms sequence ${index + 1}: nobody is signed out, and a sign-out is final`, async () => {
      const storage = new MemoryStorage()
      const { setItem } = storage
      let answer: 'ok' | 'lost' | 'unheard' | 'false' = 'ok'
      const open = () =>
        restRefreshClient(t.address, {
          options: { clock: { now: () => t.clock.now }, storage },
          fetch: async (url, options) => {
            if (answer === 'lost') {
              throw new TypeError('fetch failed')
            }
            if (answer === 'false') {
              return new Response(falseAnswers[falseCount++ % falseAnswers.length])
            }

            const response = await fetch(url, options)

            if (answer === 'unheard') {
              throw new TypeError('terminated')
            }

            return response
          }
        })
      let one = open()
      let ended = 0
      const { login } = await signedIn(t, one)

      for (const happening of story) {
        answer = happening.answer

        switch (happening.what) {
          case 'expire':
            t.clock.advance(20 * minutes)
            await one.authentication.renew().catch(() => {})
            break
          case 'call':
            await one.client
              .service('sessions')
              .find()
              .catch(() => {})
            break
          case 'restart':
            ended += one.heard('session-ended') + one.heard('logout')
            one = open()
            await one.client.reAuthenticate().catch(() => {})
            break
          case 'full':
            storage.setItem = () => Promise.reject(new Error('full'))
            break
          case 'mend':
            storage.setItem = setItem
            break
          case 'listener':
            one.client.once('refreshed', () => void one.authentication.renew().catch(() => {}))
        }
      }

      answer = 'ok'
      storage.setItem = setItem
      t.clock.advance(20 * minutes)
      await one.client.reAuthenticate(true)
      assert.equal((await one.client.service('sessions').find()).length, 2)
      assert.equal((await one.client.get('authentication')).session.id, login.session.id)
      assert.equal(ended + one.heard('session-ended') + one.heard('logout'), 0)
      await one.client.logout()
      await assert.rejects(open().client.reAuthenticate(), { name: 'NotAuthenticated' })
    })
  }
})
