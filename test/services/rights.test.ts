import assert from 'node:assert/strict'
import feathers from '@feathersjs/feathers'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'
import type { Application } from '../../src/declarations.js'
import { merge, startApp, withApp, type TestApp } from '../support/app.js'
import { authenticator, enrol, factorClient, withFactors } from '../support/factors.js'
import { passkeyAccounts, withPasskeys } from '../support/passkeys.js'
import { newPerson, type Person } from '../support/people.js'
import { rounds } from '../support/race.js'
import { password } from '../support/rest.js'
import { startStandaloneMongod } from '../support/standalone-mongod.js'
import { connect, type TestSocket } from '../support/socket.js'

/** A write of a service: who makes it, and its arguments. */
interface Write {
  service: 'users' | 'sessions' | 'factors' | 'passkeys' | 'passkey-challenges'
  method: 'create' | 'patch' | 'remove'
  by: 'user' | 'admin'
  id: (people: People) => string | null
  data?: object
  query?: (people: People) => Record<string, string>
  /** What there has to be before: with another access token perhaps, an id, and data. */
  prepare?: (t: TestApp, caller: Person) => Promise<{ accessToken?: string; id?: string; data?: object }>
}

interface People {
  caller: Person
  other: Person
}

const pages = 'https://localhost' // where the passkeys are used

const own = ({ caller }: People) => caller.id
const others = ({ other }: People) => other.id
const ofOther = ({ other }: People) => ({ userId: other.id })
const newPassword = { password: 'another horse battery' }
const confirmed = { currentPassword: password }

const begin = async (t: TestApp, { ask }: Person) => {
  const { body } = await ask('POST', '/factors', { body: { kind: 'totp' } })

  return { id: body.id as string, app: authenticator(t, body.secret) }
}

/** With a factor, and an access token that tells of it. */
const guard = async (t: TestApp, caller: Person) => {
  const { id, app } = await enrol(t, caller)
  const { body } = await factorClient(t.address).stepUp(caller.accessToken, {
    strategy: 'totp',
    code: app.next()
  })

  return { id, accessToken: body.accessToken as string }
}

/** A response of an authenticator that may be added to the account. */
const registration = async (t: TestApp, { ask }: Person) => {
  const { body } = await ask('POST', '/passkey-challenges', { body: { purpose: 'register' } })

  return { challenge: body.id, response: passkeyAccounts(t, pages).device().create(body.options) }
}

/** With a passkey. The access token tells only of a password. */
const withPasskey = async (t: TestApp, caller: Person) => {
  const { body } = await caller.ask('POST', '/passkeys', { body: await registration(t, caller) })

  return { id: body.id as string }
}

const writes: Record<string, Write> = {
  'the handle for passkeys': {
    service: 'passkey-challenges',
    method: 'create',
    by: 'user',
    id: () => null,
    data: { purpose: 'register' }
  },
  'a passkey': {
    service: 'passkeys',
    method: 'create',
    by: 'user',
    id: () => null,
    prepare: async (t, caller) => ({ data: await registration(t, caller) })
  },
  'the name of a passkey': {
    service: 'passkeys',
    method: 'patch',
    by: 'user',
    id: () => null,
    data: { name: 'Changed' },
    prepare: withPasskey
  },
  'a passkey that is removed': {
    service: 'passkeys',
    method: 'remove',
    by: 'user',
    id: () => null,
    async prepare(t, caller) {
      const device = passkeyAccounts(t, pages).device()
      const { id, options } = await passkeyAccounts(t).challengeFor(caller, 'register')
      const { body } = await caller.ask('POST', '/passkeys', {
        body: { challenge: id, response: device.create(options) }
      })
      const stepUp = await passkeyAccounts(t).challengeFor(caller, 'step-up')
      const steppedUp = await factorClient(t.address).stepUp(caller.accessToken, {
        strategy: 'passkey',
        challenge: stepUp.id,
        response: device.get(stepUp.options)
      })

      return { id: body.id, accessToken: steppedUp.body.accessToken }
    }
  },
  'an app for codes that is begun': {
    service: 'factors',
    method: 'create',
    by: 'user',
    id: () => null,
    data: { kind: 'totp' }
  },
  'recovery codes': {
    service: 'factors',
    method: 'create',
    by: 'user',
    id: () => null,
    data: { kind: 'recovery-codes' },
    prepare: async (t, caller) => ({ accessToken: (await guard(t, caller)).accessToken })
  },
  'the first factor': {
    service: 'factors',
    method: 'patch',
    by: 'user',
    id: () => null,
    async prepare(t, caller) {
      const { id, app } = await begin(t, caller)

      return { id, data: { code: app.code() } }
    }
  },
  'a further factor': {
    service: 'factors',
    method: 'patch',
    by: 'user',
    id: () => null,
    async prepare(t, caller) {
      const { accessToken } = await guard(t, caller)
      const { body } = await caller.ask('POST', '/factors', { body: { kind: 'totp' }, token: accessToken })

      return { accessToken, id: body.id, data: { code: authenticator(t, body.secret).code() } }
    }
  },
  'a factor that is removed': {
    service: 'factors',
    method: 'remove',
    by: 'user',
    id: () => null,
    prepare: guard
  },
  'the own name': { service: 'users', method: 'patch', by: 'user', id: own, data: { name: 'Changed' } },
  'the own email': {
    service: 'users',
    method: 'patch',
    by: 'user',
    id: own,
    data: { email: 'changed@example.com', ...confirmed }
  },
  'the own password': {
    service: 'users',
    method: 'patch',
    by: 'user',
    id: own,
    data: { ...newPassword, ...confirmed }
  },
  'the own account': { service: 'users', method: 'remove', by: 'user', id: own },
  'a role': { service: 'users', method: 'patch', by: 'admin', id: others, data: { roles: ['admin'] } },
  'a role and a password': {
    service: 'users',
    method: 'patch',
    by: 'admin',
    id: others,
    data: { roles: ['admin'], ...newPassword }
  },
  'the name of another user': {
    service: 'users',
    method: 'patch',
    by: 'admin',
    id: others,
    data: { name: 'Changed' }
  },
  'the access of another user': {
    service: 'users',
    method: 'patch',
    by: 'admin',
    id: others,
    data: { disabled: true }
  },
  'the own roles': {
    service: 'users',
    method: 'patch',
    by: 'admin',
    id: own,
    data: { roles: ['admin', 'moderator'] }
  },
  'the account of another user': { service: 'users', method: 'remove', by: 'admin', id: others },
  'the name of a device': {
    service: 'sessions',
    method: 'patch',
    by: 'user',
    id: ({ caller }) => caller.session.id,
    data: { device: { name: 'Changed' } }
  },
  'the own session': {
    service: 'sessions',
    method: 'remove',
    by: 'user',
    id: ({ caller }) => caller.session.id
  },
  'all own sessions': { service: 'sessions', method: 'remove', by: 'user', id: () => null },
  'a session of another user': {
    service: 'sessions',
    method: 'remove',
    by: 'admin',
    id: ({ other }) => other.session.id,
    query: ofOther
  },
  'all sessions of another user': {
    service: 'sessions',
    method: 'remove',
    by: 'admin',
    id: () => null,
    query: ofOther
  },
  'the name of a device of another user': {
    service: 'sessions',
    method: 'patch',
    by: 'admin',
    id: ({ other }) => other.session.id,
    query: ofOther,
    data: { device: { name: 'Changed' } }
  }
}

/** How a caller loses a right, and what is answered then. */
const losses: Record<
  string,
  { who: Write['by'][]; lose: (app: Application, caller: Person) => unknown; answers: string[] }
> = {
  'the session has been ended': {
    who: ['user', 'admin'],
    lose: (app, { id, session }) => app.service('authentication').sessions.end(id, session.id, 'revoked'),
    answers: ['401 revoked']
  },
  'the account has been disabled': {
    who: ['user', 'admin'],
    lose: (app, { id }) => app.service('users').patch(id, { disabled: true }),
    answers: ['401 disabled']
  },
  'the account has been deleted': {
    who: ['user', 'admin'],
    lose: (app, { id }) => app.service('users').remove(id),
    answers: ['401 revoked']
  },
  'the role has been taken': {
    who: ['admin'],
    lose: (app, { id }) => app.service('users').patch(id, { roles: ['user'] }),
    answers: ['403', '404']
  }
}

/** Holds the calls of clients at one place, until they are let go. */
class Gate {
  #reached = () => {}
  #opened: Promise<void> | undefined
  open = () => {}

  close(): Promise<void> {
    this.#opened = new Promise((resolve) => (this.open = resolve))

    return new Promise((resolve) => (this.#reached = resolve))
  }

  readonly hook = async ({ params }: { params: { provider?: string } }) => {
    if (params.provider) {
      this.#reached()
      await this.#opened
    }
  }
}

const ofFactors = ['factors', 'passkeys', 'passkey-challenges']

const early = new Gate() // once the caller is authenticated, before anything else is checked
const late = new Gate() // once all is checked, right before the write

function configure(app: Application): void {
  app.hooks({ before: { create: [early.hook], patch: [early.hook], remove: [early.hook] } })
  app.service('users').hooks({ before: { patch: [late.hook], remove: [late.hook] } })

  for (const path of ['factors', 'passkeys'] as const) {
    app.service(path).hooks({ before: { create: [late.hook], patch: [late.hook], remove: [late.hook] } })
  }

  app.service('passkey-challenges').hooks({ before: { create: [late.hook] } })
}

describe('a right that is lost while a call waits', () => {
  let t: TestApp
  const open: TestSocket[] = []

  before(async () => {
    const authStrategies = ['jwt', 'local', 'refresh-token', 'totp', 'recovery-code', 'passkey']
    const all = [withFactors(), withPasskeys(pages), { authentication: { authStrategies } }]

    t = await startApp({ configure, settings: all.reduce(merge) })
  })
  afterEach(() => {
    early.open()
    late.open()
    open.splice(0).forEach((socket) => socket.close())
  })
  after(() => t.stop())

  const everything = () => t.db.collection('users').find().sort({ _id: 1 }).toArray()

  async function newPeople(by: Write['by']): Promise<People> {
    const [caller, other] = await Promise.all([newPerson(t, by), newPerson(t)])

    return { caller, other }
  }

  /** Prepares a call. It answers its outcome, such as `401 revoked`; over a socket that is disconnected, `disconnected`. */
  const transports: Record<string, (write: Write, people: People) => Promise<() => Promise<string>>> = {
    async REST({ service, method, id, data, query }, people) {
      const path = [service, ...(id(people) ? [id(people)] : [])].join('/')
      const url = `/${path}?${new URLSearchParams(query?.(people)).toString()}`

      return () =>
        people.caller
          .ask({ create: 'POST', patch: 'PATCH', remove: 'DELETE' }[method], url, {
            ...(data && { body: data }),
            token: people.caller.accessToken
          })
          .then(({ status, body }) => outcomeOf(status, body))
    },
    async 'a socket'({ service, method, id, data, query }, people) {
      const socket = await connect(t.address)
      const args = [
        ...(method === 'create' ? [] : [id(people)]),
        ...(data ? [data] : []),
        query?.(people) ?? {}
      ]

      open.push(socket)
      await socket.call('create', 'authentication', {
        strategy: 'jwt',
        accessToken: people.caller.accessToken
      })

      return () =>
        Promise.race([
          socket.call(method, service, ...args).then(
            () => 'done',
            (error) => outcomeOf(error.code, error)
          ),
          new Promise<string>((resolve) => socket.socket.on('disconnect', () => resolve('disconnected')))
        ])
    }
  }

  for (const [gate, where, services] of [
    [early, 'before it is checked', ['users', 'sessions', ...ofFactors]],
    [late, 'right before the write', ['users', ...ofFactors]]
  ] as [Gate, string, string[]][]) {
    for (const [transport, prepare] of Object.entries(transports)) {
      for (const [what, write] of Object.entries(writes).filter(([, { service }]) =>
        services.includes(service)
      )) {
        for (const [how, { lose, answers }] of Object.entries(losses).filter(([, { who }]) =>
          who.includes(write.by)
        )) {
          it(`does not change ${what} over ${transport} when ${how} ${where}`, async () => {
            const people = await newPeople(write.by)
            const { accessToken, id, data } = (await write.prepare?.(t, people.caller)) ?? {}
            const caller = { ...people.caller, ...(accessToken && { accessToken }) }
            const prepared = { ...write, ...(id && { id: () => id }), ...(data && { data }) }
            const call = await prepare(prepared, { ...people, caller })
            const reached = gate.close()
            const outcome = call()

            await Promise.race([reached, outcome.then((early) => assert.fail(`It was not held: ${early}`))])
            await lose(t.app, people.caller)

            const before = await everything()

            gate.open()
            assert.ok([...answers, 'disconnected'].includes(await outcome), await outcome)
            // A socket that was disconnected doesn't hear when its call is done
            await caughtUp()
            assert.deepEqual(await everything(), before)
          })
        }
      }
    }
  }

  const caughtUp = async () => {
    while (t.app.get('hasher').active > 0) {
      await later(5)
    }
    await later(20)
  }

  it('is tested for each write of each service', () => {
    const reading = ['find', 'get']
    // They need no rights that could be lost: a sign-up, a sign-in with what was verified, a sign-out, and a link
    const free = ['users.create', 'authentication.create', 'authentication.remove', 'password-resets.patch']
    const all = Object.keys(t.app.services).flatMap((service) =>
      feathers
        .getServiceOptions(t.app.service(service as 'users'))
        .methods!.filter((method) => !reading.includes(method))
        .map((method) => `${service}.${method}`)
    )
    const tested = Object.values(writes).map(({ service, method }) => `${service}.${method}`)

    assert.deepEqual(
      all.filter((write) => !tested.includes(write) && !free.includes(write)),
      []
    )
  })
})

const outcomeOf = (code: number, { data }: { data?: { reason?: string } }) =>
  [code, data?.reason].filter(Boolean).join(' ')

describe('on a standalone MongoDB, without transactions', () => {
  it('an admin changes and removes other users', async () => {
    const mongod = await startStandaloneMongod()
    const usual = process.env.MONGODB_URL

    process.env.MONGODB_URL = mongod.url

    try {
      await withApp({}, async (t) => {
        const [admin, ada] = [await newPerson(t, 'admin'), await newPerson(t)]
        const path = `/users/${ada.id}`

        assert.equal(
          (await admin.ask('PATCH', path, { body: { name: 'Ada', roles: ['moderator'] } })).status,
          200
        )
        assert.equal((await admin.ask('PATCH', path, { body: { disabled: true } })).status, 200)
        assert.equal((await admin.ask('DELETE', path)).status, 200)
        assert.equal((await admin.ask('DELETE', path)).status, 404)
      })
    } finally {
      process.env.MONGODB_URL = usual
      await mongod.stop()
    }
  })
})

describe('an admin who is disabled', () => {
  it('can no longer make anybody admin, even in a race', async () => {
    const t = await startApp()
    const admin = await newPerson(t, 'admin')
    const changes: string[] = []
    const stream = t.db.collection('users').watch()
    const reading = (async () => {
      for await (const change of stream) {
        if (change.operationType === 'update') {
          const { roles, disabled } = change.updateDescription.updatedFields ?? {}

          if (roles || disabled) {
            changes.push(`${String(change.documentKey._id)} ${roles ? 'admin' : 'disabled'}`)
          }
        }
      }
    })().catch(() => {})

    await rounds(async (round) => {
      const [rogue, accomplice] = await Promise.all([newPerson(t, 'admin'), newPerson(t)])
      const promote = () => rogue.ask('PATCH', `/users/${accomplice.id}`, { body: { roles: ['admin'] } })
      const disable = () => admin.ask('PATCH', `/users/${rogue.id}`, { body: { disabled: true } })
      const [first, second] = round % 2 ? [promote(), disable()] : [disable(), promote()]
      const [outcome, disabled] = await Promise.all(round % 2 ? [first, second] : [second, first])

      assert.equal(disabled.status, 200)
      assert.ok([200, 401].includes(outcome.status), `${outcome.status}`)

      const marker = await newPerson(t, 'admin')

      while (!changes.some((change) => change.startsWith(marker.id))) {
        await later(10)
      }

      const [promoted, ended] = [
        changes.indexOf(`${accomplice.id} admin`),
        changes.indexOf(`${rogue.id} disabled`)
      ]

      assert.ok(ended >= 0)
      assert.ok(promoted < ended, `${promoted} ${ended}`)
      assert.equal(promoted >= 0, outcome.status === 200)
    }, 20)

    await stream.close()
    await reading
    await t.stop()
  })
})
