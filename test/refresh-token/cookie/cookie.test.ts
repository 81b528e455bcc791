import { NotAuthenticated, TooManyRequests, Unavailable } from '@feathersjs/errors'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type Settings, type TestApp } from '../../support/app.js'
import { browser, cookiesOf, inHeader } from '../../support/browser.js'
import { fieldsOf, newPerson, type Person } from '../../support/people.js'
import { rounds } from '../../support/race.js'
import { atOnce, outcome, password, restClient, tally, type Answer } from '../../support/rest.js'
import { socketsOf } from '../../support/live.js'
import { decoded } from '../../support/tokens.js'

const name = '__Secure-refresh-token'
const day = 24 * 60 * 60 // s
const withCookie = (cookie: object = {}, more: object = {}): { settings: Settings } => ({
  settings: { authentication: { 'refresh-token': { cookie, ...more } } }
})
const tokenOf = (answer: Answer): string => cookiesOf(answer)[0]!.value!
const assertWithoutToken = ({ body }: Answer) => {
  assert.equal('refreshToken' in body, false)
  assert.doesNotMatch(JSON.stringify({ ...body, accessToken: '', authentication: '' }), /eyJ/)
}
const assertCleared = (answer: Answer) => {
  const [{ value, maxAge, name: cleared } = { name: '' }] = cookiesOf(answer)

  assert.deepEqual({ cleared, value, maxAge }, { cleared: name, value: '', maxAge: 0 })
}

let t: TestApp
let ada: Person
const sockets = socketsOf(() => t.address)

before(async () => {
  t = await startApp(withCookie())
  ada = await newPerson(t)
})
after(async () => {
  sockets.closeAll()
  await t.stop()
})

describe('a sign-in with cookie: true', () => {
  it('is answered its refresh token in a cookie that no script can read, and nowhere else', async () => {
    const answer = await browser(t.address).signIn(ada.email)
    const [line] = answer.headers.getSetCookie()

    assert.equal(answer.status, 201)
    assert.match(
      line!,
      /^__Secure-refresh-token=[\w.-]+; Max-Age=2592000; Path=\/authentication; HttpOnly; Secure; SameSite=Strict$/
    )
    assertWithoutToken(answer)
    assert.deepEqual(Object.keys(answer.body).sort(), ['accessToken', 'authentication', 'session', 'user'])
    assert.equal(decoded(tokenOf(answer)).header.typ, 'refresh')
    assert.equal(answer.headers.get('cache-control'), 'no-store')
  })

  it('hides the token from listeners of logins', async () => {
    let heard: unknown

    t.app.once('login', (result: unknown) => (heard = result))
    await browser(t.address).signIn(ada.email)
    assert.equal('refreshToken' in (heard as object), false)
  })

  it('is answered in the body when it says cookie: false, or nothing', async () => {
    for (const cookie of [false, undefined]) {
      const answer = await browser(t.address).signIn(ada.email, { cookie })

      assert.equal(typeof answer.body.refreshToken, 'string')
      assert.deepEqual(answer.headers.getSetCookie(), [])
    }
  })

  it('gets no cookie when it is refused', async () => {
    const answer = await browser(t.address).signIn(ada.email, { password: 'not the password' })

    assert.equal(outcome(answer), '401')
    assert.deepEqual(answer.headers.getSetCookie(), [])
  })

  it('takes true and false only', async () => {
    for (const cookie of ['true', 1, null, {}]) {
      const answer = await browser(t.address).signIn(ada.email, { cookie })

      assert.equal(answer.status, 400)
      assert.deepEqual(fieldsOf(answer), ['cookie'])
    }
  })

  it('is a 400 that says so if cookies are not configured', async () => {
    await withApp({}, async (other) => {
      const { email } = await newPerson(other)
      const answer = await browser(other.address).signIn(email)

      assert.equal(answer.status, 400)
      assert.match(answer.body.message, /'cookie' is not possible: the service is not set up to use cookies/)
      assert.equal((await browser(other.address).signIn(email, { cookie: false })).status, 201)
      assert.deepEqual(fieldsOf(await browser(other.address).refresh()), ['refreshToken'])
    })
  })

  it('is a 400 for a strategy that gets no refresh token', async () => {
    const requests = [
      { strategy: 'jwt', accessToken: ada.accessToken },
      { strategy: 'refresh-token', refreshToken: ada.refreshToken },
      { strategy: 'refresh-token' }
    ]

    for (const request of requests) {
      const body = { ...request, cookie: true }
      const answer = await browser(t.address).ask('POST', '/authentication', { body })

      assert.equal(answer.status, 400)
      assert.match(answer.body.message, /'cookie' is for signing in \(local\)/)
    }
  })
})

describe('a step-up with cookie: true', () => {
  it('gets no refresh token, and leaves the cookie as it is', async () => {
    const page = browser(t.address)
    const { body } = await page.signIn(ada.email)
    const answer = await page.ask('POST', '/authentication', {
      token: body.accessToken,
      body: { strategy: 'local', email: ada.email, password, stepUp: true, cookie: true }
    })

    assert.equal(answer.status, 201)
    assertWithoutToken(answer)
    assert.deepEqual(cookiesOf(answer), [])
    assert.equal((await page.refresh()).body.session.id, body.session.id)
  })
})

describe('a refresh without a token in its body', () => {
  it('takes it from the cookie, and is answered by cookie again', async () => {
    const page = browser(t.address)
    const login = await page.signIn(ada.email)
    const first = await page.refresh()
    const second = await page.refresh()

    for (const answer of [first, second]) {
      assert.equal(answer.status, 201)
      assertWithoutToken(answer)
      assert.equal(answer.body.session.id, login.body.session.id)
    }

    assert.equal(decoded(tokenOf(second)).claims.prev, decoded(tokenOf(first)).claims.jti)
    assert.equal((await page.ask('GET', '/sessions', { token: second.body.accessToken })).status, 200)
  })

  it('accepts an idempotency key, which a page can store', async () => {
    const page = browser(t.address)
    const stale = browser(t.address)

    await page.signIn(ada.email)
    stale.cookies.set(name, page.cookies.get(name)!)
    assert.equal((await page.refresh({ idempotencyKey: 'attempt 1' })).status, 201)
    t.clock.advance(60_000)
    // The answer was lost: the cookie is still the one that was used
    assert.equal((await stale.refresh({ idempotencyKey: 'attempt 1' })).status, 201)
  })

  it('ends the session when a used token comes back, as any does', async () => {
    const page = browser(t.address)
    const thief = browser(t.address)

    await page.signIn(ada.email)
    thief.cookies.set(name, page.cookies.get(name)!)
    await page.refresh()
    await page.refresh()

    const reused = await thief.refresh()

    assert.equal(outcome(reused), '401 reused')
    assertCleared(reused)
    assert.equal(outcome(await page.refresh()), '401 revoked')
    assert.equal(page.cookies.size, 0)
  })

  it('is a 401 without a reason, which clears nothing, when there is no cookie', async () => {
    for (const headers of [
      {},
      { Cookie: 'other=1' },
      { Cookie: `${name}=` },
      { Cookie: 'refresh-token=x' }
    ]) {
      const answer = await browser(t.address).ask('POST', '/authentication', {
        body: { strategy: 'refresh-token' },
        headers: headers as Record<string, string>
      })

      assert.equal(outcome(answer), '401')
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer')
      assert.deepEqual(answer.headers.getSetCookie(), [])
    }
  })

  it('is answered in the body if its body has a token, even with a cookie', async () => {
    const page = browser(t.address)

    await page.signIn(ada.email)

    const { refreshToken } = (await browser(t.address).signIn(ada.email, { cookie: false })).body
    const kept = page.cookies.get(name)
    const answer = await page.refresh({ refreshToken })

    assert.equal(typeof answer.body.refreshToken, 'string')
    assert.deepEqual(page.cookies.get(name), kept)
    assert.equal((await page.refresh({ refreshToken: null })).status, 400)
    assert.deepEqual((await page.refresh({ refreshToken: 'x' })).headers.getSetCookie(), [])
    assert.equal((await page.refresh()).status, 201)
  })

  it('twenty at once all succeed, and the cookie that comes last works', async () => {
    await rounds(async () => {
      const page = browser(t.address)

      await page.signIn(ada.email)

      const answers = await atOnce(20, () => page.refresh())

      assert.deepEqual(tally(answers), { '201': 20 })
      assert.equal((await page.refresh()).status, 201)
      assert.equal((await page.refresh()).status, 201)
    })
  })
})

describe('a refusal of the cookie', () => {
  const refused = async (
    spoil: (page: ReturnType<typeof browser>, person: Person, login: Answer) => unknown
  ) => {
    const person = await newPerson(t)
    const page = browser(t.address)

    await spoil(page, person, await page.signIn(person.email))

    const answer = await page.refresh()

    return { page, answer, reason: outcome(answer) }
  }

  const table: [string, Parameters<typeof refused>[0]][] = [
    ['invalid', (page) => page.cookies.set(name, { ...page.cookies.get(name)!, value: 'x.y.z' })],
    ['expired', () => t.clock.advance(30 * day * 1000)],
    ['revoked', (_page, { id }) => t.app.service('authentication').sessions.endAll(id, 'revoked')],
    ['disabled', (_page, { id }) => t.app.service('users').patch(id, { disabled: true })]
  ]

  for (const [expected, spoil] of table) {
    it(`as ${expected} clears it`, async () => {
      const { page, answer, reason } = await refused(spoil)

      assert.equal(reason, `401 ${expected}`)
      assertCleared(answer)
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer error="invalid_token"')
      assert.equal(page.cookies.size, 0)
    })
  }

  it('is not the same as a failure: then the cookie stays', async () => {
    let failure: Error | undefined = undefined
    const failing = async () => {
      if (failure) {
        throw failure
      }
    }
    const configure = (app: TestApp['app']) =>
      app.service('authentication').hooks({ before: { create: [failing] } })

    await withApp({ ...withCookie(), configure }, async (other) => {
      const page = browser(other.address)

      await page.signIn((await newPerson(other)).email)

      for (const error of [new TooManyRequests(), new Unavailable(), new NotAuthenticated(), new Error()]) {
        failure = error

        const answer = await page.refresh()

        assert.ok(answer.status >= 400)
        assert.deepEqual(answer.headers.getSetCookie(), [])
      }

      failure = undefined
      assert.equal((await page.refresh()).status, 201)
      await other.app.get('database').close()
      assert.equal((await page.refresh()).status, 503)
      assert.equal(page.cookies.size, 1)
    })
  })
})

describe('signing out', () => {
  it('clears the cookie and ends the session', async () => {
    const page = browser(t.address)
    const { accessToken } = (await page.signIn(ada.email)).body
    const cookie = inHeader(page.cookies.get(name)!)
    const answer = await page.signOut(accessToken)

    assert.equal(answer.status, 200)
    assertCleared(answer)
    assert.match(
      answer.headers.getSetCookie()[0]!,
      /Path=\/authentication; HttpOnly; Secure; SameSite=Strict$/
    )
    assert.equal(page.cookies.size, 0)
    assert.equal(outcome(await page.refresh()), '401')
    assert.equal(
      outcome(
        await restClient(t.address).ask('POST', '/authentication', {
          body: { strategy: 'refresh-token' },
          headers: { Cookie: cookie }
        })
      ),
      '401 revoked'
    )
  })

  it('that is refused leaves it', async () => {
    const page = browser(t.address)

    await page.signIn(ada.email)
    assert.equal((await page.ask('DELETE', '/authentication')).status, 401)
    assert.equal((await page.ask('DELETE', '/authentication', { token: 'x.y.z' })).status, 401)
    assert.equal((await page.refresh()).status, 201)
  })

  it('sets no cookie if cookies are not configured', async () => {
    await withApp({}, async (other) => {
      const { accessToken } = await newPerson(other)

      assert.deepEqual((await browser(other.address).signOut(accessToken)).headers.getSetCookie(), [])
    })
  })
})

describe('the life of the cookie', () => {
  const maxAge = (answer: Answer) => cookiesOf(answer)[0]!.maxAge

  it('is that of its session', async () => {
    await withApp(withCookie({}, { expiresIn: '10d', maxLifetime: '15d' }), async (other) => {
      const page = browser(other.address)
      const { email } = await newPerson(other)

      assert.equal(maxAge(await page.signIn(email)), 10 * day)
      other.clock.advance(4 * day * 1000)
      assert.equal(maxAge(await page.refresh()), 10 * day)
      other.clock.advance(6 * day * 1000)
      assert.ok(Math.abs(maxAge(await page.refresh())! - 5 * day) <= 1)
    })
  })

  it('runs down without rotation, for a cookie that stays the same', async () => {
    await withApp(withCookie({}, { rotation: false, expiresIn: '10d' }), async (other) => {
      const page = browser(other.address)
      const { email } = await newPerson(other)
      const login = await page.signIn(email)

      other.clock.advance(4 * day * 1000)

      const answers = await atOnce(20, () => page.refresh())

      assert.deepEqual(tally(answers), { '201': 20 })
      answers.forEach(assertWithoutToken)
      assert.deepEqual(new Set(answers.map(tokenOf)), new Set([tokenOf(login)]))
      assert.deepEqual(new Set(answers.map(maxAge)), new Set([6 * day]))
    })
  })
})

describe('a cookie of other settings', () => {
  const settings = [
    [
      { name: '__Host-session' },
      /^__Host-session=[^;]+; Max-Age=\d+; Path=\/; HttpOnly; Secure; SameSite=Strict$/
    ],
    [{ name: '__Host-session', path: '/' }, /^__Host-session=[^;]+; Max-Age=\d+; Path=\/; HttpOnly; Secure;/],
    [
      { secure: false },
      /^refresh-token=[^;]+; Max-Age=\d+; Path=\/authentication; HttpOnly; SameSite=Strict$/
    ],
    [{ path: '/api/authentication' }, /^__Secure-refresh-token=[^;]+; .*Path=\/api\/authentication; /],
    [{ sameSite: 'lax' }, /; Secure; SameSite=Lax$/],
    [{ sameSite: 'none' }, /; Secure; SameSite=None$/],
    [
      { name: '__Secure-rt', domain: 'example.com' },
      /^__Secure-rt=.*; Domain=example.com; Path=\/authentication; /
    ]
  ] as const

  for (const [cookie, line] of settings) {
    it(`is set as ${JSON.stringify(cookie)} says, accepted and cleared`, async () => {
      await withApp(withCookie(cookie), async (other) => {
        const { email } = await newPerson(other)
        const page = browser(other.address)
        const login = await page.signIn(email)
        const headers = { Cookie: inHeader(...cookiesOf(login)) }
        const refresh = await page.ask('POST', '/authentication', {
          body: { strategy: 'refresh-token' },
          headers
        })
        const signOut = await page.signOut(refresh.body.accessToken)

        assert.match(login.headers.getSetCookie()[0]!, line)
        assert.match(refresh.headers.getSetCookie()[0]!, line)
        assert.match(signOut.headers.getSetCookie()[0]!, /=; Max-Age=0; /)
        assert.equal(
          signOut.headers.getSetCookie()[0]!.replace('Max-Age=0', ''),
          login.headers.getSetCookie()[0]!.replace(/=[^;]+; Max-Age=\d+/, '=; ')
        )
      })
    })
  }

  it('leaves the name of the field to the body', async () => {
    await withApp(withCookie({}, { field: 'refresh_token' }), async (other) => {
      const { email } = await newPerson(other)
      const page = browser(other.address)

      assert.equal('refresh_token' in (await page.signIn(email)).body, false)
      assert.equal('refresh_token' in (await page.refresh()).body, false)
    })
  })

  it('does not affect the cookies of other hooks', async () => {
    const configure = (app: TestApp['app']) =>
      app.service('authentication').hooks({
        after: {
          create: [
            async (context) => {
              context.http = { ...context.http, headers: { ...context.http?.headers, 'Set-Cookie': 'a=b' } }
            }
          ]
        }
      })

    await withApp({ ...withCookie(), configure }, async (other) => {
      const answer = await browser(other.address).signIn((await newPerson(other)).email)

      assert.deepEqual(
        cookiesOf(answer).map((cookie) => cookie.name),
        ['a', name]
      )
    })
  })
})

describe('over a socket', () => {
  const call = async (request: object, headers: Record<string, string> = {}) => {
    const socket = await sockets.anonymous(headers)

    return socket.call('create', 'authentication', request).then(
      () => assert.fail('it is taken'),
      (error: { code: number; message: string }) => error
    )
  }

  it('cookie: true is a 400 that says why', async () => {
    const error = await call({ strategy: 'local', email: ada.email, password: 'x', cookie: true })

    assert.equal(error.code, 400)
    assert.match(error.message, /'cookie' is not possible here: only an answer over HTTP can set a cookie/)
  })

  it('so is a refresh without a token, also when the handshake brought the cookie', async () => {
    const page = browser(t.address)

    await page.signIn(ada.email)

    const cookie = inHeader(page.cookies.get(name)!)

    for (const headers of [{}, { Cookie: cookie }]) {
      const error = await call({ strategy: 'refresh-token' }, headers as Record<string, string>)

      assert.equal(error.code, 400)
      assert.match(error.message, /'refreshToken' is required: only requests over HTTP bring it in a cookie/)
    }

    assert.equal((await page.refresh()).status, 201)
  })

  it('signing in and refreshing work in the body', async () => {
    const { login } = await sockets.signedIn(ada, { cookie: false })
    const socket = await sockets.anonymous()
    const request = { strategy: 'refresh-token', refreshToken: login.refreshToken }

    assert.equal(typeof (await socket.call('create', 'authentication', request)).refreshToken, 'string')
    await socket.call('remove', 'authentication', null)
  })
})
