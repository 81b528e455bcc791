import { authenticate } from '@feathersjs/authentication'
import { LocalStrategy, hooks as localHooks } from '@feathersjs/authentication-local'
import type { OAuthProfile } from '@feathersjs/authentication-oauth'
import { feathers, type Params } from '@feathersjs/feathers'
import { bodyParser, errorHandler, koa, parseAuthentication, rest, type Application } from '@feathersjs/koa'
import { MongoDBService } from '@feathersjs/mongodb'
import { MongoClient, type Collection } from 'mongodb'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { accountsByMail, type AccountsByMail, type Mail } from '../../src/accounts/index.js'
import {
  AuthenticationService,
  RefreshTokenStrategy,
  SessionJwtStrategy,
  sessionHooks
} from '../../src/refresh-token/index.js'
import { OAuthStrategy, oauth } from '../../src/refresh-token/oauth/index.js'
import { databaseUrl } from '../support/app.js'
import { linkIn } from '../support/mailbox.js'
import { startOAuthProvider, type OAuthProvider } from '../support/oauth-provider.js'
import { freePort } from '../support/process.js'
import { fieldsOf } from '../support/people.js'
import { outcome, password, restClient, type RestClient } from '../support/rest.js'
import { leastSettings } from '../support/settings.js'
import { poll } from '../support/socket.js'
import { until } from '../support/until.js'
import { fragmentOf, visitor } from '../support/visitor.js'

const newPassword = 'another horse battery'
const freshEmail = () => `${randomUUID()}@example.com`

/** Takes over what the provider knows of an address. */
class ExampleStrategy extends OAuthStrategy {
  override async getEntityData(profile: OAuthProfile, existing: unknown, params: Params) {
    const data = await super.getEntityData(profile, existing, params)

    return existing ? data : { ...data, email: profile.email, emailVerified: profile.email_verified === true }
  }
}

describe('accounts by mail in an app without schemas, whose users see each other', () => {
  const mails: Mail[] = []
  let mongo: MongoClient
  let users: Collection
  let provider: OAuthProvider
  let app: Application
  let client: RestClient
  let address: string

  before(async () => {
    const port = await freePort()

    mongo = await MongoClient.connect(databaseUrl(`moult-${randomUUID()}`))
    users = mongo.db().collection('users')
    provider = await startOAuthProvider()
    app = makeApp(port)

    const server: Server = await app.listen(port)

    address = `http://localhost:${(server.address() as AddressInfo).port}`
    client = restClient(address)
  })
  after(async () => {
    await app.teardown()
    await mongo.db().dropDatabase()
    await mongo.close()
    await provider.stop()
  })

  function makeApp(port: number): Application {
    const made: Application = koa(feathers())

    made.set('authentication', {
      ...leastSettings,
      entity: 'user',
      service: 'users',
      authStrategies: ['jwt', 'local', 'refresh-token'],
      local: { usernameField: 'email', passwordField: 'password' },
      'refresh-token': { ...(leastSettings['refresh-token'] as object), strategies: ['local', 'example'] },
      oauth: {
        redirect: 'https://app.example.com',
        defaults: { origin: `http://localhost:${port}` },
        example: provider.settings
      }
    })
    made.use(errorHandler())
    made.use(parseAuthentication())
    made.use(bodyParser())
    made.configure(rest())

    const service = new AuthenticationService(made)

    service.register('jwt', new SessionJwtStrategy())
    service.register('local', new LocalStrategy())
    service.register('refresh-token', new RefreshTokenStrategy())
    service.register('example', new ExampleStrategy())
    made.use('users', new MongoDBService({ Model: users, paginate: { default: 10, max: 50 } }), {
      methods: ['find', 'get', 'create', 'patch', 'update', 'remove']
    })
    made.use('authentication', service)
    made.service('authentication').hooks(sessionHooks())
    made.service('users').hooks({
      around: {
        find: [authenticate('jwt')],
        get: [authenticate('jwt')],
        patch: [authenticate('jwt')],
        update: [authenticate('jwt')]
      },
      before: {
        create: [hashed],
        patch: [hashed],
        update: [hashed]
      },
      after: { all: [localHooks.protect('password')] }
    })
    made.configure(oauth())
    made.configure(
      accountsByMail({
        from: 'Example <hello@example.com>',
        url: 'https://app.example.com/',
        smtp: async (mail) => void mails.push(mail),
        waysIn: ['apiKey']
      })
    )

    return made
  }

  const accounts = (): AccountsByMail => app.get('accountsByMail')
  const stored = async (email: string) => (await users.findOne({ email }))!
  const mailTo = (to: string, kind: string) =>
    poll(() => mails.findLast((mail) => mail.to === to && mail.kind === kind), `${kind} to ${to}`, 10_000)
  const isQuiet = () =>
    until('all are done', async () => {
      const { waiting } = await accounts().outbox.state()

      return waiting === 0 && (await users.countDocuments({ 'notices._id': { $exists: true } })) === 0
    })

  async function signedUp(email = freshEmail()) {
    const { _id: id } = await client.signUp({ email })
    const { body } = await client.signIn(email)
    const ask = (method: string, path: string, sent: object) =>
      client.ask(method, path, { token: body.accessToken, body: sent })

    return { id, email, token: body.accessToken as string, ask }
  }

  async function verified() {
    const person = await signedUp()
    const { id, token } = linkIn(await mailTo(person.email, 'verify-email'))

    assert.equal((await person.ask('PATCH', `/email-verifications/${id}`, { token })).status, 200)
    return person
  }

  async function reset(email: string): Promise<void> {
    await client.ask('POST', '/password-resets', { body: { email } })

    const { id, token } = linkIn(await mailTo(email, 'password-reset'))
    const { status } = await client.ask('PATCH', `/password-resets/${id}`, {
      body: { token, password: newPassword }
    })

    assert.equal(status, 200)
  }

  /** Signs in at the provider: what the page gets. */
  const signInBy = async (profile: object, query = '') => {
    provider.profile = profile as OAuthProvider['profile']

    return fragmentOf(await visitor().follow(`${address}/oauth/example${query}`))
  }

  describe('serve nobody who claimed an address before its owner', () => {
    it('by an OAuth account that was linked meanwhile: a reset unlinks it', async () => {
      const attacker = { id: 4711, email: 'attacker@example.org' }
      const { email, token } = await signedUp()

      assert.ok((await signInBy(attacker, `?feathers_token=${token}`)).access_token)
      assert.equal((await stored(email)).exampleId, 4711)
      await reset(email)
      assert.equal((await stored(email)).exampleId, undefined)

      const { user } = await client
        .refresh((await signInBy(attacker)).refresh_token!)
        .then(({ body }) => body)

      assert.equal(user.email, 'attacker@example.org')
    })

    it('by a field that the app named', async () => {
      const { email } = await signedUp()

      await users.updateOne({ email }, { $set: { apiKey: 'of the attacker' } })
      await reset(email)
      assert.equal((await stored(email)).apiKey, undefined)
    })

    it('nor take from a verified account what its owner linked', async () => {
      const { email } = await verified()

      await users.updateOne({ email }, { $set: { exampleId: 12, apiKey: 'hers' } })
      await reset(email)

      const { exampleId, apiKey } = await stored(email)

      assert.deepEqual([exampleId, apiKey], [12, 'hers'])
    })

    it('and a change that is taken back takes back what was linked since', async () => {
      const { email, id, ask } = await verified()
      const other = freshEmail()

      await users.updateOne({ email }, { $set: { apiKey: 'hers' } })
      await ask('PATCH', `/users/${id}`, { email: other })

      const verify = linkIn(await mailTo(other, 'verify-email'))

      await ask('PATCH', `/email-verifications/${verify.id}`, { token: verify.token })
      await users.updateOne({ email: other }, { $set: { exampleId: 13, apiKey: 'his' } })

      const keep = linkIn(await mailTo(email, 'email-changed'))
      const kept = await client.ask('PATCH', `/email-verifications/${keep.id}`, {
        body: { token: keep.token, keep: true }
      })
      const { exampleId, apiKey } = await stored(email)

      assert.equal(kept.status, 200)
      assert.deepEqual([exampleId, apiKey], [undefined, 'hers'])
    })
  })

  it('believe server code that an address is verified, as a provider may have told it', async () => {
    const [seeded, told, untold] = [freshEmail(), freshEmail(), freshEmail()]

    await app.service('users').create({ email: seeded, password, emailVerified: true })
    await signInBy({ id: 21, email: told, email_verified: true })
    await signInBy({ id: 22, email: untold, email_verified: false })
    await mailTo(untold, 'verify-email')
    await isQuiet()

    assert.deepEqual(
      await Promise.all([seeded, told, untold].map(async (email) => (await stored(email)).emailVerified)),
      [true, true, false]
    )
    assert.deepEqual(
      mails.filter(({ to }) => [seeded, told].includes(to)),
      []
    )
  })

  it('mail nothing to users without an address, who may give one later', async () => {
    const [{ _id: id }, email] = [await app.service('users').create({ exampleId: 31 }), freshEmail()]
    const { access_token: token } = await signInBy({ id: 31 })

    assert.equal((await client.ask('PATCH', `/users/${id}`, { token: token!, body: { email } })).status, 200)

    const link = linkIn(await mailTo(email, 'verify-email'))
    const { status } = await client.ask('PATCH', `/email-verifications/${link.id}`, {
      token: token!,
      body: { token: link.token }
    })

    assert.equal(status, 200)
    assert.equal((await stored(email)).emailVerified, true)
    await isQuiet()
    assert.ok(mails.every(({ to }) => to.includes('@')))
  })

  describe('make a new address pending', () => {
    for (const [how, write] of [
      ['by PATCH', (email: string) => ['PATCH', { email }]],
      ['by an operator', (email: string) => ['PATCH', { $set: { email } }]],
      ['by PUT', (email: string) => ['PUT', { email, password, name: 'Ada' }]]
    ] as const) {
      it(how, async () => {
        const { id, email, ask } = await verified()
        const other = freshEmail()
        const [method, body] = write(other) as [string, object]

        assert.equal((await ask(method, `/users/${id}`, body)).status, 200)

        const user = await stored(email)

        assert.equal(user.pendingEmail, other)
        assert.equal(user.emailVerified, true)
        assert.ok((await mailTo(email, 'email-changing')).text.includes(other))

        const link = linkIn(await mailTo(other, 'verify-email'))
        const used = await client.ask('PATCH', `/email-verifications/${link.id}`, {
          body: { token: link.token, password }
        })

        assert.equal(used.status, 200)
        assert.equal((await stored(other)).emailVerified, true)
        linkIn(await mailTo(email, 'email-changed'))
      })
    }

    it('and refuse other ways to write it', async () => {
      const { id, email, ask } = await verified()

      for (const body of [
        { $rename: { name: 'email' } },
        { $rename: { email: 'name' } },
        { $unset: { email: '' } },
        { email: [freshEmail()] },
        { email: 'no address\n\nClaim it at https://evil.example' }
      ]) {
        const answer = await ask('PATCH', `/users/${id}`, body)

        assert.equal(answer.status, 400)
        assert.deepEqual(fieldsOf(answer), ['email'])
      }
      assert.equal((await stored(email)).emailVerified, true)
    })
  })

  it('end a pending change with a new password, which the owner sets who was told of it', async () => {
    const { id, email, ask } = await verified()
    const theirs = freshEmail()

    await ask('PATCH', `/users/${id}`, { email: theirs })

    const link = linkIn(await mailTo(theirs, 'verify-email'))

    assert.equal((await ask('PATCH', `/users/${id}`, { password: newPassword })).status, 200)
    assert.equal((await stored(email)).pendingEmail, undefined)
    assert.equal(
      outcome(
        await client.ask('PATCH', `/email-verifications/${link.id}`, {
          body: { token: link.token, password: newPassword }
        })
      ),
      '400 invalid'
    )
  })

  it('refuse the names of their fields wherever they stand for fields, and nowhere else', async () => {
    const { id, email, ask, token } = await signedUp()

    for (const body of [
      { notices: [] },
      { 'notices.0': 1 },
      { emailVerified: true },
      { $set: { emailVerified: true } },
      { $unset: { passwordReset: '' } },
      { $rename: { name: 'emailVerified' } },
      { newPasswordNeeded: false }
    ]) {
      assert.equal((await ask('PATCH', `/users/${id}`, body)).status, 400, JSON.stringify(body))
    }

    for (const body of [
      { preferences: { notices: true, factors: 2 } },
      { tags: ['notices', 'news'] },
      { note: 'notices' }
    ]) {
      assert.equal((await ask('PATCH', `/users/${id}`, body)).status, 200, JSON.stringify(body))
    }

    const find = (query: string) => client.ask('GET', `/users?${query}`, { token })

    for (const query of [
      'notices=1',
      '$select[]=notices',
      '$sort[notices]=1',
      '$or[0][passwordReset.id]=1'
    ]) {
      assert.equal((await find(query)).status, 400, query)
    }

    const { status, body } = await find('tags=notices')

    assert.equal(status, 200)
    assert.deepEqual(
      body.data.map((user: { email: string }) => user.email),
      [email]
    )
  })

  it('show a pending address to nobody but its user', async () => {
    const [ada, grace] = [await verified(), await signedUp()]
    const pending = freshEmail()
    const answer = await ada.ask('PATCH', `/users/${ada.id}`, { email: pending })
    const seenBy = async ({ token }: { token: string }) => [
      (await client.ask('GET', `/users/${ada.id}`, { token })).body.pendingEmail,
      (await client.ask('GET', `/users?email=${ada.email}`, { token })).body.data[0].pendingEmail
    ]

    assert.equal(answer.body.pendingEmail, pending)
    assert.deepEqual(await seenBy(ada), [pending, pending])
    assert.deepEqual(await seenBy(grace), [undefined, undefined])
    assert.equal((await client.signIn(ada.email)).body.user.pendingEmail, pending)
  })
})

const hashed = localHooks.hashPassword('password')
