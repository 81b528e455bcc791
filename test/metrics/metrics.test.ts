import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../support/app.js'
import { factorClient, newGuarded, withFactors } from '../support/factors.js'
import { newPerson } from '../support/people.js'
import { freePort } from '../../src/dev/mongod/process.js'
import { atOnce, restClient, type RestClient } from '../support/rest.js'
import { makePlace, type Place } from '../support/service.js'
import { connect, poll } from '../support/socket.js'

const token = 'read all the metrics here'

/** Figures by the name and labels that they have in Prometheus' format. */
async function figures(client: RestClient): Promise<Record<string, number>> {
  const { status, body } = await client.ask('GET', '/metrics', { token })

  assert.equal(status, 200, JSON.stringify(body))

  const lines = (body as string).split('\n').filter((line) => line && !line.startsWith('#'))

  return Object.fromEntries(lines.map((line) => [line.replace(/ \S+$/, ''), Number(line.split(' ').at(-1))]))
}

describe('GET /metrics with a token', () => {
  let t: TestApp
  let client: RestClient

  before(async () => {
    t = await startApp({
      settings: withFactors({
        metrics: { token },
        rateLimit: {
          signIn: { account: { limit: 2, per: '15m' }, address: false },
          signUp: false,
          refresh: false
        }
      })
    })
    client = restClient(t.address)
  })
  after(() => t.stop())

  /** How much what something does adds to the figures, but to those of Node.js. */
  async function added(work: () => Promise<unknown>): Promise<Record<string, number>> {
    const before = await figures(client)

    await work()

    const now = await figures(client)

    return Object.fromEntries(
      Object.entries(now)
        .filter(([name]) => name.startsWith('moult_') && !/stream|cache|events/.test(name))
        .map(([name, value]) => [name, value - (before[name] ?? 0)] as const)
        .filter(([, value]) => value !== 0)
    )
  }

  it('requires the token', async () => {
    for (const wrong of [undefined, 'x', `${token}x`]) {
      const { status, headers } = await client.ask(
        'GET',
        '/metrics',
        wrong === undefined ? {} : { token: wrong }
      )

      assert.equal(status, 401)
      assert.equal(headers.get('WWW-Authenticate'), 'Bearer')
    }

    const { headers } = await client.ask('GET', '/metrics', { token })

    assert.equal(headers.get('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8')
    assert.equal(headers.get('Cache-Control'), 'no-store')
    assert.equal((await client.ask('POST', '/metrics', { token })).status, 405)
  })

  it('counts sign-ins by strategy and outcome', async () => {
    const { email } = await client.signUp()
    const login = (outcome: string) => `moult_logins_total{strategy="local",outcome="${outcome}"}`

    assert.deepEqual(await added(() => client.signIn(email)), {
      [login('ok')]: 1,
      'moult_sessions_opened_total{strategy="local"}': 1
    })
    assert.deepEqual(
      await added(() => atOnce(4, () => client.signIn(email, { password: 'wrong horse battery' }))),
      { [login('refused')]: 2, [login('limited')]: 2 }
    )
    assert.deepEqual(await added(() => client.signIn(email, { colour: 'red' })), { [login('limited')]: 1 })
    assert.deepEqual(await added(() => client.authenticate({ strategy: 'local' })), {
      [login('malformed')]: 1
    })
  })

  it('counts sign-ins that lack a factor, factors and step-ups', async () => {
    const { person, app } = await newGuarded(t)
    const on = factorClient(t.address)
    const login = (strategy: string, outcome: string) =>
      `moult_logins_total{strategy="${strategy}",outcome="${outcome}"}`
    const stepUp = (outcome: string) => `moult_step_ups_total{strategy="totp",outcome="${outcome}"}`
    let challenge = ''
    let accessToken = ''

    assert.deepEqual(
      await added(async () => {
        challenge = await on.challenge(person.email)
      }),
      { [login('local', 'factor')]: 1 }
    )
    assert.deepEqual(await added(() => on.totp(challenge, '000000')), { [login('totp', 'invalid')]: 1 })
    assert.deepEqual(
      await added(async () => {
        accessToken = (await on.totp(challenge, app.next())).body.accessToken
      }),
      { [login('totp', 'ok')]: 1, 'moult_sessions_opened_total{strategy="local"}': 1 }
    )

    const raise = (code: string) => on.stepUp(accessToken, { strategy: 'totp', code })

    assert.deepEqual(await added(() => raise('000000')), { [stepUp('invalid')]: 1 })
    assert.deepEqual(await added(() => raise(app.next())), { [stepUp('ok')]: 1 })
  })

  it('counts refreshes by outcome, with repeats and reuse, and the session that ends', async () => {
    const first = await client.newLogin()
    const refresh = (outcome: string) => `moult_refreshes_total{outcome="${outcome}"}`

    assert.deepEqual(await added(() => atOnce(3, () => client.refresh(first.refreshToken))), {
      [refresh('ok')]: 1,
      [refresh('repeated')]: 2
    })

    const { body } = await client.refresh(first.refreshToken)

    assert.deepEqual(await added(() => client.refresh(body.refreshToken)), { [refresh('ok')]: 1 })
    assert.deepEqual(await added(() => client.refresh(first.refreshToken)), {
      [refresh('reused')]: 1,
      'moult_sessions_ended_total{reason="reused"}': 1
    })
    assert.deepEqual(await added(() => client.refresh(body.refreshToken)), { [refresh('revoked')]: 1 })
    assert.deepEqual(await added(() => client.refresh('forged')), { [refresh('invalid')]: 1 })
    assert.deepEqual(await added(() => client.authenticate({ strategy: 'refresh-token' })), {
      [refresh('malformed')]: 1
    })
  })

  it('counts the end of a session once, with any number of listeners', async () => {
    const ada = await newPerson(t)
    const socket = await connect(t.address)

    await socket.call('create', 'authentication', { strategy: 'jwt', accessToken: ada.accessToken })

    assert.equal((await figures(client)).moult_sockets, 1)
    assert.deepEqual(await added(() => ada.ask('DELETE', '/authentication')), {
      'moult_sessions_ended_total{reason="logout"}': 1
    })
    socket.close()
    await poll(async () => (await figures(client)).moult_sockets === 0, 'no socket')
  })

  it('does not count requests that name no strategy', async () => {
    const asked = ['constructor', '__proto__', 'magic', '', 7].map((strategy) => ({
      strategy,
      email: 'a@b.de'
    }))

    assert.deepEqual(await added(() => Promise.all(asked.map((body) => client.authenticate(body)))), {})
  })

  it('shows the cache, the change stream, the hash queue and the event loop', async () => {
    const ada = await newPerson(t)

    await poll(() => t.app.service('authentication').live.changes.isFresh, 'the stream')

    const hits = 'moult_cache_lookups_total{result="hit"}'
    const oneHit = async () => {
      const before = await figures(client)
      await ada.ask('GET', '/content/user')
      const now = await figures(client)

      return now[hits] === before[hits]! + 1
    }

    // The stream may still tell of the sign-up
    await poll(oneHit, 'a call that is answered from memory')

    const now = await figures(client)

    assert.ok(now['moult_cache_lookups_total{result="miss"}']! > 0)
    assert.ok(now.moult_cache_users! > 0 && now.moult_cache_bytes! > 0)
    assert.equal(now.moult_change_stream_fresh, 1)
    assert.ok(now.moult_change_stream_silence_seconds! < 2)
    assert.ok(now.moult_change_stream_lag_seconds_count! > 0)
    assert.equal(now['moult_password_hashes{state="waiting"}'], 0)
    assert.equal(now.moult_events_dropped_total, 0)
    assert.ok('nodejs_eventloop_lag_p99_seconds' in now)
  })

  it('reveals nothing about any user', async () => {
    const ada = await newPerson(t)

    await client.signIn(ada.email, { password: 'wrong horse battery' })

    const { body } = await client.ask('GET', '/metrics', { token })

    for (const personal of [ada.email, ada.id, ada.session.id, '127.0.0.1', 'undici', 'example.com']) {
      assert.equal(body.includes(personal), false, personal)
    }
  })
})

describe('metrics', () => {
  it('are off unless they are configured', async () => {
    await withApp({}, async ({ address }) => {
      assert.equal((await restClient(address).ask('GET', '/metrics')).status, 404)
    })
  })

  it('are on a port of their own, if that is configured, and nowhere else', async () => {
    const port = await freePort()

    await withApp({ settings: { metrics: { port, host: '127.0.0.1' } } }, async ({ address }) => {
      const own = restClient(`http://127.0.0.1:${port}`)

      assert.match((await own.ask('GET', '/metrics')).body, /^moult_refreshes_total\{outcome="reused"\} 0$/m)
      assert.equal((await own.ask('HEAD', '/metrics')).status, 200)
      assert.equal((await own.ask('POST', '/metrics')).status, 405)
      assert.equal((await own.ask('GET', '/users')).status, 404)
      assert.equal((await restClient(address).ask('GET', '/metrics')).status, 404)

      await assert.rejects(
        withApp({ settings: { metrics: { port, host: '127.0.0.1' } } }, async () => {}),
        /^ConfigurationError: metrics\.port \d+ of "127\.0\.0\.1" can not be listened on \(EADDRINUSE\): write another/
      )
    })
    await assert.rejects(fetch(`http://127.0.0.1:${port}/metrics`))
  })

  it('can require a token on their own port too', async () => {
    const port = await freePort()

    await withApp({ settings: { metrics: { port, token } } }, async () => {
      assert.equal((await restClient(`http://localhost:${port}`).ask('GET', '/metrics')).status, 401)
      await figures(restClient(`http://localhost:${port}`))
    })
  })
})

describe('metrics of several workers', () => {
  let place: Place

  before(async () => {
    place = await makePlace()
  })
  afterEach(() => place.killAll())
  after(() => place.remove())

  const logins = (worker: number) => `moult_logins_total{strategy="local",outcome="ok",worker="${worker}"}`

  it('are all shown, whichever worker is asked', async () => {
    const { client } = await place.start({ WORKERS: '2', METRICS_TOKEN: token })

    await atOnce(6, () => client.newLogin())

    const all = await figures(client)

    assert.equal(all[logins(1)]! + all[logins(2)]!, 6)
    assert.deepEqual(await figures(client).then((figures) => figures[logins(1)]), all[logins(1)])
    assert.equal(all['moult_sockets{worker="2"}'], 0)
  })

  it('are served by the primary on their own port', async () => {
    const port = String(await freePort())
    const { client } = await place.start({ WORKERS: '2', METRICS_PORT: port, METRICS_TOKEN: token })
    const own = restClient(`http://localhost:${port}`)

    await client.newLogin()

    const all = await figures(own)

    assert.equal((all[logins(1)] ?? 0) + (all[logins(2)] ?? 0), 1)
    assert.equal((await client.ask('GET', '/metrics', { token })).status, 404)
  })
})
