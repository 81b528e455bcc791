import authentication, { MemoryStorage } from '@feathersjs/authentication-client'
import { feathers } from '@feathersjs/feathers'
import rest from '@feathersjs/rest-client'
import { parseCookie, parseSetCookie, stringifyCookie } from 'cookie'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { RefreshTokenClient } from '../../src/client/index.js'
import { startApp, type TestApp } from '../support/app.js'
import { root, runCode, snippet } from '../support/documents.js'
import { newPerson } from '../support/people.js'
import { sessionItem } from '../support/refresh-clients.js'
import { atOnce, password } from '../support/rest.js'
import { until } from '../support/until.js'

const minutes = 60_000 // ms

describe('docs/client.md', () => {
  let t: TestApp

  before(async () => {
    t = await startApp({ settings: { authentication: { 'refresh-token': { cookie: { path: '/' } } } } })
  })
  after(() => t.stop())

  const official = { authentication: authentication.default, RefreshTokenClient }
  // As JavaScript, which the snippets are
  const newApp = () => feathers<Record<string, any>>().configure(rest.default(t.address).fetch(fetch) as any)

  it('shows the one line, and an app', async () => {
    const app: any = newApp()
    const { email } = await newPerson(t)
    const ended: string[] = []
    const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))

    assert.equal(exports['./client'].default, './lib/client/index.js')
    await runCode(snippet('docs/client.md', 'moult/client'), {
      app,
      ...official,
      authentication: (options: object) =>
        official.authentication({ storage: new MemoryStorage(), ...options })
    })
    await runCode(snippet('docs/client.md', 'session-ended'), {
      app,
      email,
      password,
      showSignIn: (why: string) => ended.push(why)
    })
    assert.equal(app.get('authentication'), null)
    assert.deepEqual(ended, [])
  })

  it('shows the states and events of the core', async () => {
    const figure = snippet('docs/client.md', 'our turn')
    const core = await readFile(join(root, 'src/client/core.ts'), 'utf8')

    for (const event of ['need', 'answered', 'refused', 'failed', 'saved', 'ended']) {
      assert.match(figure, new RegExp(`\\b${event}\\b`))
      assert.match(core, new RegExp(`^  ${event}\\(`, 'm'))
    }
  })

  it('shows how cookies are chosen', async () => {
    const app: any = newApp()

    await runCode(snippet('docs/client.md', 'cookie: true }'), { app, ...official })
    assert.equal(app.authentication.options.cookie, true)
  })

  it('shows how React Native says that it is awake', async () => {
    const app: any = newApp()
    const AsyncStorage = new MemoryStorage()
    let wake = (_state: string) => {}
    const AppState = { addEventListener: (_name: string, listener: typeof wake) => (wake = listener) }
    const { email } = await newPerson(t)
    let refreshes = 0

    await runCode(snippet('docs/client.md', 'AppState'), {
      app,
      AsyncStorage,
      AppState,
      ...official,
      authentication: (options: object) =>
        official.authentication({ clock: { now: () => t.clock.now }, ...options })
    })
    app.on('refreshed', () => refreshes++)
    await app.authenticate({ strategy: 'local', email, password })
    assert.equal(typeof (await AsyncStorage.getItem(sessionItem)), 'string')
    t.clock.advance(14 * minutes)
    wake('background')
    assert.equal(refreshes, 0)
    wake('active')
    await until('the refresh', () => refreshes === 1)
    await app.logout()
  })

  it('shows a storage for server-rendered pages', async () => {
    const jar: Record<string, string> = {}
    const document = {
      get cookie() {
        return stringifyCookie(jar)
      },
      set cookie(line: string) {
        const { name, value, maxAge } = parseSetCookie(line)

        jar[name] = value!
        if (maxAge === 0) {
          delete jar[name]
        }
      }
    }
    const storage = await runCode(
      snippet('docs/client.md', 'document.cookie'),
      { document, parseCookie },
      'storage'
    )

    storage.setItem('a', '{"key": "1; 2"}')
    assert.equal(storage.getItem('a'), '{"key": "1; 2"}')
    storage.removeItem('a')
    assert.equal(storage.getItem('a'), undefined)
  })

  describe('server-side rendering', () => {
    let pages: string
    let stop: () => Promise<unknown>
    const origin = () => t.address

    before(async () => {
      const clientFor = await runCode(
        snippet('docs/client.md', 'clientFor'),
        {
          feathers,
          rest: rest.default,
          ...official,
          parseCookie,
          parseSetCookie,
          stringifyCookie,
          fetch,
          origin: origin()
        },
        'clientFor'
      )
      const server = createServer((request, response) => {
        const app = clientFor(request, response)
        const email = new URL(request.url!, 'http://pages').searchParams.get('email')
        const answer = async () => {
          await (email ? app.authenticate({ strategy: 'local', email, password }) : app.reAuthenticate())
          const { user } = await app.get('authentication')
          return { email: user.email, sessions: (await app.service('sessions').find()).length }
        }

        answer()
          .catch(({ name }) => ({ name }))
          .then((body) => response.end(JSON.stringify(body)))
          .catch(() => response.end())
      }).listen(0, 'localhost')

      await once(server, 'listening')
      pages = `http://localhost:${(server.address() as AddressInfo).port}`
      stop = async () => {
        server.closeAllConnections()
        server.close()
        await once(server, 'close')
      }
    })
    after(() => stop())

    /** A visitor, who keeps the cookies. */
    const visitor = () => {
      const jar: Record<string, string> = {}
      const visit = async (path = '', { isLost = false } = {}) => {
        const answer = await fetch(pages + path, { headers: { Cookie: stringifyCookie(jar) } })

        for (const line of isLost ? [] : answer.headers.getSetCookie()) {
          const { name, value, maxAge } = parseSetCookie(line)

          if (maxAge === 0) {
            delete jar[name]
          } else {
            jar[name] = value!
          }
        }

        return answer.json()
      }

      return { jar, visit }
    }

    it('renders pages for the signed-in user, and mixes up nobody', async () => {
      const people = await atOnce(5, async () => ({ ...visitor(), ...(await newPerson(t)) }))

      await Promise.all(
        people.map(async ({ visit, jar, email }) => {
          assert.deepEqual(await visit(), { name: 'NotAuthenticated' })
          assert.deepEqual(Object.keys(jar), [])
          assert.deepEqual(await visit(`/?email=${email}`), { email, sessions: 2 })
          assert.deepEqual(Object.keys(jar).sort(), ['__Secure-refresh-token', sessionItem])

          for (let page = 0; page < 3; page++) {
            assert.deepEqual(await visit(), { email, sessions: 2 })
          }
        })
      )
    })

    it('keeps a visitor signed in who leaves before the page arrives', async () => {
      const { visit } = visitor()
      const { email } = await newPerson(t)

      await visit(`/?email=${email}`)

      for (let page = 0; page < 3; page++) {
        await visit('', { isLost: true })
        // Longer than the leeway
        t.clock.advance(5 * minutes)
      }

      assert.deepEqual(await visit(), { email, sessions: 2 })
    })
  })
})
