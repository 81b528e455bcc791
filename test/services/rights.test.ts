import assert from 'node:assert/strict'
import feathers from '@feathersjs/feathers'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'
import type { Application } from '../../src/declarations.js'
import { startApp, withApp, type TestApp } from '../support/app.js'
import { newPerson, type Person } from '../support/people.js'
import { rounds } from '../support/race.js'
import { password } from '../support/rest.js'
import { startStandaloneMongod } from '../support/standalone-mongod.js'
import { connect, type TestSocket } from '../support/socket.js'

/** A write of a service: who makes it, and its arguments. */
interface Write {
  service: 'users' | 'sessions'
  method: 'patch' | 'remove'
  by: 'user' | 'admin'
  id: (people: People) => string | null
  data?: object
  query?: (people: People) => Record<string, string>
}

interface People {
  caller: Person
  other: Person
}

const own = ({ caller }: People) => caller.id
const others = ({ other }: People) => other.id
const ofOther = ({ other }: People) => ({ userId: other.id })
const newPassword = { password: 'another horse battery' }
const confirmed = { currentPassword: password }

const writes: Record<string, Write> = {
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

const early = new Gate() // once the caller is authenticated, before anything else is checked
const late = new Gate() // once all is checked, right before the write

function configure(app: Application): void {
  app.hooks({ before: { patch: [early.hook], remove: [early.hook] } })
  app.service('users').hooks({ before: { patch: [late.hook], remove: [late.hook] } })
}

describe('a right that is lost while a call waits', () => {
  let t: TestApp
  const open: TestSocket[] = []

  before(async () => {
    t = await startApp({ configure })
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
          .ask(method === 'patch' ? 'PATCH' : 'DELETE', url, { ...(data && { body: data }) })
          .then(({ status, body }) => outcomeOf(status, body))
    },
    async 'a socket'({ service, method, id, data, query }, people) {
      const socket = await connect(t.address)
      const args = [id(people), ...(data ? [data] : []), query?.(people) ?? {}]

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
    [early, 'before it is checked', ['users', 'sessions']],
    [late, 'right before the write', ['users']]
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
            const call = await prepare(write, people)
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

describe('on a MongoDB that stands alone, without transactions', () => {
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
  it('makes nobody admin any more, however close it is', async () => {
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
