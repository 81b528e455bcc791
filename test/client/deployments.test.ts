import authentication, { MemoryStorage } from '@feathersjs/authentication-client'
import { feathers } from '@feathersjs/feathers'
import rest from '@feathersjs/rest-client'
import socketio from '@feathersjs/socketio-client'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { io } from 'socket.io-client'
import { RefreshTokenClient, type ClientOptions } from '../../src/client/index.js'
import { startApp, type TestApp } from '../support/app.js'
import { runCode, snippet } from '../support/documents.js'
import { newPerson, stored } from '../support/people.js'
import { refreshTransports, restRefreshClient, signedIn } from '../support/refresh-clients.js'
import { password } from '../support/rest.js'
import { until } from '../support/until.js'
import { visitor } from '../support/visitor.js'

const minutes = 60_000 // ms

/** A proxy that has the service under a path, and notes what it is asked. */
async function proxy(to: string, rewrite: (path: string) => string) {
  const { port } = new URL(to)
  const asked: string[] = []
  const server: Server = createServer((incoming, response) => {
    asked.push(`${incoming.method} ${incoming.url!.split('?')[0]}`)

    const onward = request(
      {
        port,
        host: 'localhost',
        path: rewrite(incoming.url!),
        method: incoming.method,
        headers: incoming.headers
      },
      (answer) => {
        response.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(response)
      }
    )

    onward.on('error', () => response.destroy())
    incoming.pipe(onward)
  }).listen(0, 'localhost')

  await once(server, 'listening')

  return {
    asked,
    address: `http://localhost:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}

describe('a service under a sub-path, with sockets and cookies', () => {
  let t: TestApp
  let front: Awaited<ReturnType<typeof proxy>>
  const { fetch } = globalThis

  before(async () => {
    t = await startApp({
      settings: { authentication: { 'refresh-token': { cookie: { path: '/api/authentication' } } } }
    })
    front = await proxy(t.address, (path) =>
      path.replace(/^\/api/, '').replace(/^\/elsewhere\/login/, '/authentication')
    )
  })
  afterEach(() => {
    globalThis.fetch = fetch
  })
  after(async () => {
    await front.stop()
    await t.stop()
  })

  for (const [what, options, path] of [
    ['is found beside the socket', {}, '/api/authentication'],
    ['is found where the setting says', { url: '/elsewhere/login' }, '/elsewhere/login']
  ] as const) {
    it(what, async () => {
      const browser = visitor(fetch)
      const socket = io(front.address, { path: '/api/socket.io', transports: ['polling'], forceNew: true })
      const app = feathers<Record<string, any>>()

      // A page has a jar for its cookies
      globalThis.fetch = (url, init) => browser.ask(String(url), init)
      app.configure(socketio.default(socket as never) as never)
      app.configure(
        authentication.default({
          Authentication: RefreshTokenClient,
          storage: new MemoryStorage(),
          cookie: true,
          clock: { now: () => t.clock.now },
          ...options
        })
      )
      front.asked.length = 0

      try {
        const { email } = await newPerson(t)

        await app.authenticate({ strategy: 'local', email, password })
        t.clock.advance(15 * minutes)

        for (const [body, status] of [
          ['null', 502],
          ['null', 401],
          ['0', 502],
          ['""', 502],
          ['null', 200],
          ['{"accessToken":"x"}', 201]
        ] as const) {
          globalThis.fetch = async () => new Response(body, { status })
          await assert.rejects(app.authentication.renew(), { name: 'Unavailable' })
        }

        globalThis.fetch = (url, init) => browser.ask(String(url), init)
        assert.equal((await app.service('sessions').find()).length, 2)
        await app.logout()
        assert.deepEqual(
          [...new Set(front.asked.filter((line) => !line.includes('socket.io')))],
          [`POST ${path}`, `DELETE ${path}`]
        )
        assert.deepEqual([...browser.jar.values()], [''])
      } finally {
        socket.disconnect()
      }
    })
  }
})

describe('two apps of one origin', () => {
  const page = globalThis as { localStorage?: unknown; location?: unknown }
  const shared = Object.assign(new MemoryStorage(), { isLocal: true })

  before(() => {
    page.localStorage = shared
    page.location = { href: 'https://example.com/app/index.html' }
  })
  after(() => {
    delete page.localStorage
    delete page.location
  })

  const itemFor = async (base: string, options: ClientOptions = {}) => {
    const app = feathers<Record<string, any>>()

    app.configure(rest.default(base).fetch(fetch) as never)
    app.configure(
      authentication.default({
        Authentication: RefreshTokenClient,
        storage: shared,
        ...options
      })
    )
    shared.store = {}
    // What the client reads is what it would write
    const read: string[] = []
    const { getItem } = shared

    shared.getItem = (key) => {
      read.push(key)
      return getItem.call(shared, key)
    }
    await app.reAuthenticate().catch(() => {})
    shared.getItem = getItem
    return read[0]
  }

  it('have separate items in the storage if their services are at different addresses', async () => {
    assert.equal(await itemFor(''), 'feathers-jwt-session')
    assert.equal(await itemFor('https://example.com'), 'feathers-jwt-session')
    assert.equal(
      await itemFor('https://api.example.com'),
      'feathers-jwt-session https://api.example.com/authentication'
    )
    assert.equal(
      await itemFor('', { path: '/other/authentication' }),
      'feathers-jwt-session https://example.com/other/authentication'
    )
  })
})

for (const where of ['elsewhere', 'at its own address'] as const) {
  describe(`an app of an origin that it shares, whose service is ${where}`, () => {
    const page = globalThis as { localStorage?: unknown; location?: unknown }
    const shared = Object.assign(new MemoryStorage(), { isLocal: true })
    const wrong = { strategy: 'local', email: 'nobody@example.com', password: 'wrong' }
    let t: TestApp
    let sent: string

    before(async () => {
      t = await startApp()
      page.localStorage = shared
      page.location = { href: where === 'elsewhere' ? 'https://example.com/app/' : `${t.address}/app/` }
    })
    after(async () => {
      delete page.localStorage
      delete page.location
      await t.stop()
    })

    const open = () => {
      sent = ''
      return restRefreshClient(t.address, {
        options: { storage: shared },
        fetch: (url, options) => {
          sent += JSON.stringify(options)
          return fetch(url, options)
        }
      })
    }

    it("leaves the token of another app's stock client alone", async () => {
      const one = open()

      shared.store = { 'feathers-jwt': 'their-token' }
      await assert.rejects(one.client.reAuthenticate(), { name: 'NotAuthenticated' })
      assert.equal(shared.store['feathers-jwt'], 'their-token')
      await assert.rejects(one.client.authenticate(wrong), { name: 'NotAuthenticated' })
      assert.equal(shared.store['feathers-jwt'], 'their-token')
      await signedIn(t, one)
      await one.client.logout()
      await one.client.logout()
      assert.deepEqual(shared.store, { 'feathers-jwt': 'their-token' })
      assert.equal(
        sent.includes('their-token'),
        where !== 'elsewhere',
        'only a token that may be ours is sent'
      )
    })

    it('resumes with the token of its own stock client, and erases it at the sign-out', async () => {
      const { login } = await signedIn(t, restRefreshClient(t.address))
      const one = open()

      shared.store = { 'feathers-jwt': login.accessToken }

      if (where === 'elsewhere') {
        await runCode(snippet('docs/client.md', "localStorage.removeItem('feathers-jwt')"), {
          app: one.client,
          localStorage: {
            getItem: (key: string) => shared.store[key] ?? null,
            setItem: (key: string, value: string) => (shared.store[key] = value),
            removeItem: (key: string) => delete shared.store[key]
          }
        })
      }

      assert.equal((await one.client.reAuthenticate()).user._id, login.user._id)
      await one.client.logout()
      assert.deepEqual(shared.store, {})
    })

    it('erases the token of its own stock client at a sign-in that comes first', async () => {
      const { login } = await signedIn(t, restRefreshClient(t.address))
      const one = open()

      shared.store = { [one.client.authentication.options.storageKey]: login.accessToken }
      await assert.rejects(one.client.authenticate({ strategy: 'jwt', accessToken: 'a.b.c' }))
      await signedIn(t, one)
      await one.client.logout()
      assert.deepEqual(shared.store, {})
    })
  })
}

describe('a proxy that adds a slash', () => {
  it('costs no session', async () => {
    const t = await startApp({ settings: { authentication: { 'refresh-token': { cookie: {} } } } })
    const front = await proxy(t.address, (path) => path.replace(/[^/]$/, '$&/'))
    const browser = visitor()
    const one = restRefreshClient(front.address, {
      options: { cookie: true, clock: { now: () => t.clock.now } },
      fetch: (url, options) => browser.ask(String(url), options)
    })

    try {
      await signedIn(t, one)
      t.clock.advance(15 * minutes)
      assert.equal((await one.client.service('sessions').find()).length, 2)
      await one.client.logout()
      assert.deepEqual([...browser.jar.values()], [''])
    } finally {
      await front.stop()
      await t.stop()
    }
  })
})

for (const [name, connectTo] of Object.entries(refreshTransports)) {
  describe(`a sign-out during a refresh, on the ${name}`, () => {
    for (const isExpired of [true, false]) {
      it(`ends the session at the service too, with a token that is ${isExpired ? 'expired' : 'valid'}`, async () => {
        const t = await startApp()
        const one = connectTo(t.address, { options: { clock: { now: () => t.clock.now } } })
        let isAsked = false
        let go = () => {}

        t.app.service('authentication').hooks({
          before: {
            create: [
              async ({ data }) => {
                if ((data as { strategy?: string }).strategy === 'refresh-token' && !isAsked) {
                  isAsked = true
                  await new Promise<void>((resolve) => (go = resolve))
                }
              }
            ]
          }
        })

        try {
          const { person, login } = await signedIn(t, one)

          t.clock.advance((isExpired ? 15 : 5) * minutes)
          one.authentication.renew().catch(() => {})
          await until('the refresh', () => isAsked)

          const signOut = one.client.logout()

          setTimeout(go, 50)
          await signOut
          await until('the end', async () => {
            const { sessions } = await stored(t, person.email)

            return !JSON.stringify(sessions).includes(login.session.id)
          })
          assert.equal(one.client.get('authentication'), null)
          await assert.rejects(one.client.reAuthenticate(), { name: 'NotAuthenticated' })
          assert.equal(one.heard('session-ended'), 0)
        } finally {
          one.close()
          await t.stop()
        }
      })
    }
  })
}
