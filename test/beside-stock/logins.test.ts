import { AuthenticationBaseStrategy, authenticate } from '@feathersjs/authentication'
import { NotAuthenticated } from '@feathersjs/errors'
import type { HookContext } from '@feathersjs/feathers'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { outcome } from '../support/rest.js'
import { decoded } from '../support/tokens.js'
import { oneApp, twoApps, withTwoApps, type Design, type TwoApps } from '../support/two-apps.js'

class AnonymousStrategy extends AuthenticationBaseStrategy {
  async authenticate() {
    return { anonymous: true }
  }
}

/** Somebody of a directory, who isn't in the database. */
class DirectoryStrategy extends AuthenticationBaseStrategy {
  async authenticate() {
    return { authentication: { strategy: this.name }, user: { _id: '5f0000000000000000000000', name: 'Ada' } }
  }
}

class TokenStrategy extends AuthenticationBaseStrategy {
  async authenticate() {
    return { accessToken: 'a token of its own', user: { name: 'Ada' } }
  }
}

/** Of an access token that the app keeps, say. */
class BorrowedStrategy extends AuthenticationBaseStrategy {
  async authenticate({ accessToken, user }: any) {
    return { accessToken, user }
  }
}

class NamelessStrategy extends AuthenticationBaseStrategy {
  async authenticate() {
    return { authentication: { strategy: this.name }, user: { name: 'Ada' } }
  }
}

describe('a strategy that signs nobody in', () => {
  const settings = {
    authStrategies: ['jwt', 'local', 'anonymous', 'directory', 'token', 'nameless', 'borrowed']
  }
  let apps: TwoApps

  before(async () => {
    apps = await twoApps({
      settings,
      strategies: () => ({
        anonymous: new AnonymousStrategy(),
        directory: new DirectoryStrategy(),
        token: new TokenStrategy(),
        nameless: new NamelessStrategy(),
        borrowed: new BorrowedStrategy()
      }),
      configure: (app) => {
        app.use('open', { find: async ({ user, anonymous }: any) => ({ user, anonymous }) })
        app.service('open').hooks({ around: { all: [authenticate('jwt', 'anonymous')] } })
      }
    })
  })
  after(() => apps.stop())

  for (const strategy of ['anonymous', 'directory', 'token']) {
    it(`opens no session, as in Feathers: ${strategy}`, () =>
      apps.asStock(async (side) => {
        const { status, body } = await side.client.authenticate({ strategy })
        const { accessToken, authentication = {}, ...rest } = body

        assert.equal(status, 201)
        assert.equal(typeof accessToken, 'string')
        assert.equal(authentication.payload?.sid, undefined)
        return { ...rest, sub: authentication.payload?.sub ?? null }
      }))
  }

  it('opens the services that name it', () =>
    apps.asStock(async (side) =>
      side.app.service('open').find({ authentication: { strategy: 'anonymous' } })
    ))

  for (const strategy of ['anonymous', 'directory', 'token']) {
    it(`signs a socket in without a session: ${strategy}`, () =>
      apps.asStock(async (side) => {
        const socket = await side.socket()

        return socket.call('create', 'authentication', { strategy }).then(
          ({ user }) => user ?? null,
          ({ code }) => code
        )
      }))
  }

  it('may answer an access token that there is', () =>
    apps.asStock(async (side) => {
      const { email } = await side.add()
      const { accessToken, user } = await side.login(email)
      const socket = await side.socket()

      await socket.call('create', 'authentication', { strategy: 'borrowed', accessToken, user })
      return (await socket.call('find', 'whoami')).user.email === email
    }))

  it('signs in no user without an id', () =>
    apps.asStock(async (side) => {
      const { code, message } = (await side.client.authenticate({ strategy: 'nameless' })).body

      return [code, message]
    }))
})

describe('the options of a token', () => {
  const design: Design = {
    service: ({ AuthenticationService }) =>
      class extends AuthenticationService {
        async getTokenOptions(authResult: any, params: any) {
          const options = await super.getTokenOptions(authResult, params)
          const life = params.headers?.['x-life']

          return life ? { ...options, expiresIn: /\D/.test(life) ? life : Number(life) } : options
        }
      },
    hooks: {},
    configure: (app) => {
      app.service('authentication').hooks({
        before: {
          create: [
            async ({ params }: HookContext) => {
              const header = params.headers?.['x-jwt-options']

              if (header) {
                params.jwtOptions = JSON.parse(header)
              }
            }
          ]
        }
      })
    }
  }
  let apps: TwoApps

  before(async () => {
    apps = await twoApps(design)
    await apps.onBoth((side) => side.add({ email: 'ada@example.com' }))
  })
  after(() => apps.stop())

  const request = { strategy: 'local', email: 'ada@example.com', password: 'correct horse battery' }
  const lifeOf = (accessToken: string) => {
    const { iat, exp } = decoded(accessToken).claims

    return exp - iat
  }

  for (const life of ['1h', '90']) {
    it(`are those of getTokenOptions: a life of ${life}`, () =>
      apps.asStock(async (side) => {
        const headers = { 'x-life': life }
        const { body } = await side.client.ask('POST', '/authentication', { body: request, headers })

        assert.equal(outcome(await side.whoami(body.accessToken)), '200')
        return lifeOf(body.accessToken)
      }))
  }

  it('are those of params.jwtOptions', () =>
    apps.asStock(async (side) => {
      const options = {
        expiresIn: '2h',
        audience: 'others',
        issuer: 'somebody',
        notBefore: 10,
        jwtid: 'one',
        algorithm: 'HS256'
      }
      const headers = { 'x-jwt-options': JSON.stringify(options) }
      const { body } = await side.client.ask('POST', '/authentication', { body: request, headers })
      const { iat, exp, nbf, iss, aud, jti } = decoded(body.accessToken).claims

      assert.equal((await side.whoami(body.accessToken)).status, 401)
      return { life: exp - iat, from: nbf - iat, iss, aud, jti }
    }))

  it('never outlive the session', async () => {
    const headers = { 'x-life': '10y' }
    const { body } = await apps.ours.client.ask('POST', '/authentication', { body: request, headers })
    const end = Date.parse(body.session.expiresAt) / 1000

    assert.equal(decoded(body.accessToken).claims.exp, end)
  })

  for (const [options, sentence] of [
    [{ keyid: 'mine' }, /^The token option keyid can not be obeyed: remove it, or write one of expiresIn, /],
    [{ header: { typ: 'JWT' } }, /^The token option header can not be obeyed/],
    [
      { algorithm: 'HS512' },
      /^The token option algorithm is "HS512", but access tokens are signed with HS256/
    ],
    [{ audience: ['a', 'b'] }, /^The token option audience is \["a","b"\]: write the name of one API/],
    [{ expiresIn: 'soon' }, /^The token option expiresIn is "soon": write a duration/]
  ] as const) {
    it(`are refused in a sentence if they can't be obeyed: ${JSON.stringify(options)}`, async () => {
      const service = apps.ours.app.service('authentication')

      await assert.rejects(service.create(request, { jwtOptions: options }), { message: sentence })
      assert.deepEqual((await apps.ours.users.findOne())!.sessions.length, await liveSessions())
    })
  }

  const liveSessions = async () => {
    const { sessions } = apps.ours.app.service('authentication')

    return (await sessions.list(String((await apps.ours.users.findOne())!._id))).length
  }

  it('are required by verifyAccessToken', () =>
    apps.asStock(async (side) => {
      const { accessToken } = await side.login('ada@example.com')
      const { sub, jti } = decoded(accessToken).claims
      const service = side.app.service('authentication')
      const verified = []

      for (const options of [
        {},
        { issuer: 'them' },
        { issuer: ['us', 'them'] },
        { issuer: 'us' },
        { audience: 'them' },
        { audience: /^th/ },
        { audience: 'us' },
        { algorithms: ['HS256'] },
        { algorithms: ['HS384'] },
        { subject: sub },
        { subject: 'somebody else' },
        { jwtid: jti },
        { jwtid: 'another' },
        { nonce: 'x' },
        { maxAge: '1h' }
      ]) {
        verified.push(
          await service.verifyAccessToken(accessToken, options).then(
            (claims: any) => claims.sub === sub,
            ({ code }: NotAuthenticated) => code
          )
        )
      }

      return verified
    }))

  it('are required of a bearer by params.jwt', () =>
    apps.asStock(async (side) => {
      const { accessToken } = await side.login('ada@example.com')
      const service = side.app.service('authentication')
      const authentication = { strategy: 'jwt', accessToken }
      const ask = (jwt: object) =>
        service.authenticate(authentication, { jwt }, 'jwt').then(
          () => 'ok',
          ({ code }: NotAuthenticated) => code
        )

      return [await ask({ audience: 'them' }), await ask({ audience: 'others' })]
    }))
})

describe('the age of a token', () => {
  it('is limited by maxAge', async () => {
    let now = Date.now()
    const side = await oneApp({
      service: ({ AuthenticationService }) =>
        class extends AuthenticationService {
          constructor(app: any) {
            super(app, 'authentication', { now: () => now })
          }
        }
    })

    try {
      const service = side.app.service('authentication')
      const token = await service.createAccessToken({ sub: 'ada', sid: 'one' })

      now += 59_000
      assert.equal((await service.verifyAccessToken(token, { maxAge: '1m' })).sub, 'ada')
      now += 1000
      await assert.rejects(service.verifyAccessToken(token, { maxAge: 60 }), { data: { reason: 'expired' } })
      assert.equal((await service.verifyAccessToken(token)).sub, 'ada')
    } finally {
      await side.stop()
    }
  })
})

describe('createAccessToken', () => {
  it('says what to call instead, if there is no session', async () => {
    const side = await oneApp()

    try {
      const service = side.app.service('authentication')

      await assert.rejects(service.createAccessToken({}, { subject: 'ada' }), {
        message: /^createAccessToken signs for a session, .*: call openSession\(user\) .* or pass a secret/
      })

      const mailed = await service.createAccessToken({ sub: 'ada' }, { audience: 'reset' }, 'a mailer secret')
      const ofSession = await service.createAccessToken({ sub: 'ada', sid: 'one' })

      assert.equal(
        (await service.verifyAccessToken(mailed, { audience: 'reset' }, 'a mailer secret')).sub,
        'ada'
      )
      assert.equal((await service.verifyAccessToken(ofSession)).sub, 'ada')
    } finally {
      await side.stop()
    }
  })
})

describe('server code that signs somebody in', () => {
  it('calls create, as in Feathers', () =>
    withTwoApps({}, async ({ asStock }) => {
      await asStock(async (side) => {
        const { email } = await side.add()
        const request = { strategy: 'local', email, password: 'correct horse battery' }
        const { accessToken } = await side.app.service('authentication').create(request)

        return outcome(await side.whoami(accessToken))
      })
    }))

  it('calls openSession, which answers what a login does', async () => {
    const side = await oneApp({
      configure: (app) => {
        app.use('sign-up', {
          create: async (data: any, params: any) => {
            const user = await app.service('users').create(data)

            return app.service('authentication').openSession(user, params)
          }
        })
      }
    })

    try {
      const email = 'ada@example.com'
      const body = { email, password: 'correct horse battery' }
      const { status, body: signedUp } = await side.client.ask('POST', '/sign-up', { body })
      const login = await side.login(email)

      assert.equal(status, 201)
      assert.deepEqual(Object.keys(signedUp), Object.keys(login))
      assert.deepEqual(Object.keys(signedUp.user), Object.keys(login.user))
      assert.equal(signedUp.session.strategy, 'server')
      assert.equal(outcome(await side.whoami(signedUp.accessToken)), '200')
      assert.equal(outcome(await side.client.refresh(signedUp.refreshToken)), '201')

      const service = side.app.service('authentication')
      const { _id } = (await side.users.findOne())!
      const invited = await service.openSession(_id, { device: 'Laptop' })
      const named = await service.openSession(String(_id), { device: { id: 'laptop' } })

      assert.equal(invited.session.device.name, 'Laptop')
      assert.equal(named.session.device.id, 'laptop')
      assert.ok(!('password' in invited.user))
      await assert.rejects(service.openSession('5f0000000000000000000000'), {
        code: 404,
        message: 'There is no user with the id 5f0000000000000000000000'
      })

      for (const nobody of [undefined, null, {}, { name: 'Nobody' }]) {
        await assert.rejects(service.openSession(nobody), {
          message: /^openSession signs in a stored user: pass the user, or its id$/
        })
      }

      await side.users.updateOne({}, { $set: { disabled: true } })
      await assert.rejects(service.openSession(_id), { data: { reason: 'disabled' } })
    } finally {
      await side.stop()
    }
  })

  it('is not possible by a request', async () => {
    const side = await oneApp()

    try {
      assert.equal(outcome(await side.client.authenticate({ strategy: 'server' })), '401')
    } finally {
      await side.stop()
    }
  })

  it('signs a socket in, if it is a socket that called', async () => {
    const side = await oneApp({
      configure: (app) => {
        app.use('enter', {
          create: async ({ id }: any, params: any) => app.service('authentication').openSession(id, params)
        })
      }
    })

    try {
      const { _id } = await side.add()
      const socket = await side.socket()

      await socket.call('create', 'enter', { id: String(_id) })
      assert.equal((await socket.call('find', 'whoami')).user._id, String(_id))
    } finally {
      await side.stop()
    }
  })
})

describe('an after hook of the app that refuses a login', () => {
  const design: Design = {
    configure: (app) => {
      app.service('authentication').hooks({
        after: {
          create: [
            async ({ result }: HookContext) => {
              if (!result.user.verified) {
                throw new NotAuthenticated('Confirm your email first')
              }
            }
          ]
        }
      })
    }
  }

  it('leaves no session behind', () =>
    withTwoApps(design, async ({ asStock, ours }) => {
      await asStock(async (side) => {
        await side.add({ email: 'ada@example.com' })
        const { code, message } = await side.login('ada@example.com')

        return { code, message }
      })
      assert.deepEqual((await ours.users.findOne())!.sessions, [])
    }))

  it('leaves the session that the login reuses', async () => {
    const settings = { jwtOptions: { notBefore: '1s' } }
    const side = await oneApp({ ...design, settings, refreshToken: { rotation: false } })

    try {
      const device = { id: 'phone' }

      await side.add({ email: 'ada@example.com', verified: true })
      const { refreshToken, session } = await side.login('ada@example.com', { device })
      await side.users.updateOne({}, { $set: { verified: false } })

      assert.equal((await side.login('ada@example.com', { device })).code, 401)
      await side.users.updateOne({}, { $set: { verified: true } })

      const again = await side.login('ada@example.com', { device })

      assert.deepEqual([again.refreshToken, again.session.id], [refreshToken, session.id])
      const { sid, iat, nbf } = decoded(again.accessToken).claims

      assert.deepEqual([sid, nbf - iat], [session.id, 1])
    } finally {
      await side.stop()
    }
  })

  it('refuses before there is anything to undo', async () => {
    const side = await oneApp()

    try {
      assert.equal((await side.login('nobody@example.com')).code, 401)
    } finally {
      await side.stop()
    }
  })
})

describe('the Authorization header', () => {
  let apps: TwoApps

  before(async () => {
    apps = await twoApps({ settings: { jwt: { header: 'Authorization', schemes: ['Bear.*', 'JWT'] } } })
  })
  after(() => apps.stop())

  it('is read as in Feathers', () =>
    apps.asStock(async (side) => {
      const { email } = await side.add()
      const { accessToken } = await side.login(email)
      const statuses = []

      for (const value of [
        `Bearer ${accessToken}`,
        `Bearer: ${accessToken}`,
        `Bearer\t${accessToken}`,
        `bearer   ${accessToken}`,
        `JWT ${accessToken}`,
        accessToken,
        `Basic ${accessToken}`,
        'Bearer',
        ''
      ]) {
        statuses.push((await side.client.ask('GET', '/whoami', { headers: { Authorization: value } })).status)
      }

      return statuses
    }))

  it('may be missing, with all headers', () =>
    apps.asStock(async (side) => side.app.service('authentication').parse({}, {}, 'jwt')))
})

describe('a request', () => {
  let apps: TwoApps

  before(async () => {
    apps = await twoApps({
      configure: (app) => {
        app.use('forward', {
          find: async ({ authentication, provider }: any) =>
            app.service('whoami').find({ provider, authentication }),
          remove: async (_id: any, { authentication }: any) =>
            app.service('authentication').remove(null, { authentication })
        })
        app.service('forward').hooks({ around: { all: [authenticate('jwt')] } })
      }
    })
  })
  after(() => apps.stop())

  it('may have fields of the app beside a token, and be the authentication of another call', () =>
    apps.asStock(async (side) => {
      const { email } = await side.add()
      const { accessToken, refreshToken } = await side.login(email, { fcmToken: 'x' })
      const body = { strategy: 'jwt', accessToken, fcmToken: 'x' }
      const answers = [
        await side.client.ask('POST', '/authentication', { body }),
        await side.client.ask('GET', '/forward', { token: accessToken }),
        await side.client.ask('DELETE', '/forward/1', { token: accessToken })
      ]

      if (refreshToken) {
        assert.equal(outcome(await side.client.refresh(refreshToken)), '401 revoked')
      }

      return answers.map(outcome)
    }))

  it('may have a field `device` that is text: the name of the device', async () => {
    const statuses = await apps.asStock(async (side) => {
      const { email } = await side.add()
      const { session } = await side.login(email, { device: 'iPhone' })

      if (session) {
        assert.equal(session.device.name, 'iPhone')
      }

      return (
        await side.client.authenticate({
          strategy: 'local',
          email,
          password: 'correct horse battery',
          device: 'iPhone'
        })
      ).status
    })

    assert.equal(statuses, 201)
  })
})

describe('the settings of the constructor', () => {
  it('are merged into the configuration, and jwtOptions says what is signed', () =>
    withTwoApps(
      {
        service: ({ AuthenticationService }) =>
          class extends AuthenticationService {
            constructor(app: any) {
              super(app, 'authentication', { jwtOptions: { audience: 'merged' } })
            }
          }
      },
      async ({ asStock }) => {
        await asStock(async (side) => {
          const { email } = await side.add()
          const { accessToken } = await side.login(email)
          const { issuer, audience, algorithm } = side.app.service('authentication').configuration.jwtOptions
          const { iss, aud } = decoded(accessToken).claims

          assert.deepEqual([iss, aud, decoded(accessToken).header.alg], [issuer, audience, algorithm])
          return { issuer, audience, algorithm }
        })
      }
    ))

  it('say what is signed without any jwtOptions too', async () => {
    const side = await oneApp({ settings: { jwtOptions: undefined } })

    try {
      const { email } = await side.add()
      const { accessToken } = await side.login(email)
      const { jwtOptions } = side.app.service('authentication').configuration
      const { header, claims } = decoded(accessToken)

      assert.deepEqual(jwtOptions, {
        header: { typ: header.typ },
        issuer: claims.iss,
        audience: claims.aud,
        algorithm: header.alg,
        expiresIn: claims.exp - claims.iat
      })
    } finally {
      await side.stop()
    }
  })
})

describe('getPayload', () => {
  it('of a subclass needs no super', () =>
    withTwoApps(
      {
        service: ({ AuthenticationService }) =>
          class extends AuthenticationService {
            async getPayload() {
              return { role: 'admin' }
            }
          }
      },
      async ({ asStock }) => {
        await asStock(async (side) => {
          const { email } = await side.add()
          const { accessToken } = await side.login(email)

          return [decoded(accessToken).claims.role, outcome(await side.whoami(accessToken))]
        })
      }
    ))
})

describe('a list of revoked tokens, as in the cookbook of Feathers', () => {
  it('still works', () => {
    const revoked = new Set<string>()

    return withTwoApps(
      {
        service: ({ AuthenticationService }) =>
          class extends AuthenticationService {
            async remove(id: any, params: any) {
              const result = await super.remove(id, params)

              await this.verifyAccessToken(result.accessToken)
              revoked.add(result.accessToken)
              return result
            }

            async verifyAccessToken(accessToken: string, ...more: any[]) {
              if (revoked.has(accessToken)) {
                throw new NotAuthenticated('Token revoked')
              }

              return super.verifyAccessToken(accessToken, ...more)
            }
          }
      },
      async ({ asStock }) => {
        await asStock(async (side) => {
          const { email } = await side.add()
          const { accessToken: token } = await side.login(email)
          const before = outcome(await side.whoami(token))
          const out = await side.client.ask('DELETE', '/authentication', { token })
          const after = await side.whoami(token)

          return [before, outcome(out), after.status, after.body.message]
        })
      }
    )
  })
})

describe('a payload that a hook sets', () => {
  it('is in the token, and the claims in params', () =>
    withTwoApps(
      {
        configure: (app) => {
          app.service('authentication').hooks({
            before: {
              create: [
                async ({ params }: HookContext) => {
                  params.payload = { role: 'admin', of: { nested: [1, 2] } }
                }
              ]
            }
          })
          app.use('claims', { find: async ({ authentication }: any) => authentication.payload })
          app.service('claims').hooks({ around: { all: [authenticate('jwt')] } })
        }
      },
      async ({ asStock }) => {
        await asStock(async (side) => {
          const { email } = await side.add()
          const { accessToken: token } = await side.login(email)
          const { role, of } = (await side.client.ask('GET', '/claims', { token })).body

          return { role, of }
        })
      }
    ))
})
