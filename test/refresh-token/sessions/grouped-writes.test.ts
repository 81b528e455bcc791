import * as fc from 'fast-check'
import { MongoClient, type Collection, type CommandStartedEvent, type Document } from 'mongodb'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { OwnedSession } from '../../../src/refresh-token/sessions/records.js'
import { newSessionId } from '../../../src/refresh-token/sessions/session.js'
import { SessionStore } from '../../../src/refresh-token/sessions/store.js'
import { Users } from '../../../src/refresh-token/sessions/users.js'
import type { RefreshToken } from '../../../src/refresh-token/tokens/refresh-token.js'
import { databaseUrl, type Settings } from '../../support/app.js'
import { due, members, type Member } from '../../support/presentations.js'
import { settingsWith } from '../../support/settings.js'

// What a process with all in memory asks the database: the lone first one, the update of the others, and their marks
const atUpdate = 1
const atMarks = 2
const name = `moult-${randomUUID()}`
const now = Date.now()
const durable = { writeConcern: { w: 'majority' } } as const

let client: MongoClient
let users: Collection<Document & { _id: string }>

before(() => {
  client = new MongoClient(databaseUrl(name))
  users = client.db().collection('users')
})

after(async () => {
  await client.db().dropDatabase()
  await client.close()
})

interface StoreOptions {
  refreshToken?: Settings
  /** Called before each operation on the users. */
  interfere?: (call: number) => Promise<unknown> | void
  /** What is in memory, so that only writes come to the database. */
  remembered?: Map<string, OwnedSession>
}

/** A store with a connection of its own, as each process has one; and what it sends. */
function storeOfProcess({ refreshToken = {}, interfere = () => {}, remembered }: StoreOptions = {}) {
  const connection = new MongoClient(databaseUrl(name), { monitorCommands: true })
  const sent: string[] = []
  let calls = 0

  connection.on('commandStarted', ({ commandName, command }: CommandStartedEvent) => {
    if (command.find === 'users' || command.update === 'users' || command.findAndModify === 'users') {
      sent.push(commandName)
    }
  })

  const store: SessionStore = new SessionStore({
    settings: settingsWith({ 'refresh-token': refreshToken }),
    users: new Users({
      idField: '_id',
      passwordFields: ['password'],
      sessionsField: 'sessions',
      collection: async () => {
        await interfere(calls++)
        return connection.db().collection('users')
      },
      toIds: (sub) => [sub]
    }),
    now: () => now,
    ...(remembered && { recall: async (userId: string) => remembered.get(userId)! })
  })

  return { store, sent, close: () => connection.close() }
}

type Process = ReturnType<typeof storeOfProcess>

async function withProcesses(
  options: StoreOptions[],
  work: (...processes: Process[]) => Promise<void>
): Promise<void> {
  const processes = options.map(storeOfProcess)

  try {
    await work(...processes)
  } finally {
    await Promise.all(processes.map(({ close }) => close()))
  }
}

/** The tokens of one session: the first is unused, each other one names the one before as its predecessor. */
interface Chain {
  userId: string
  sid: string
  token: (index: number) => RefreshToken
}

async function newChain(changes: Document = {}): Promise<Chain> {
  const [userId, sid, root] = [randomUUID(), newSessionId(now), randomUUID()]

  await users.insertOne({
    _id: userId,
    sessions: [
      {
        ...{ id: sid, strategy: 'local', device: {}, renewable: true, used: `${root} 0`, keys: [] },
        createdAt: new Date(now),
        refreshedAt: new Date(now),
        expiresAt: new Date(now + 60_000)
      }
    ],
    ...changes
  })

  return {
    userId,
    sid,
    token: (index) => ({
      ...{ sub: userId, sid, jti: `${root} ${index}`, prev: `${root} ${index - 1}` },
      ...{ iat: 0, exp: now, iss: 'moult', aud: 'moult', kid: 'a key' }
    })
  }
}

const newChains = (count: number): Promise<Chain[]> =>
  Promise.all(Array.from({ length: count }, () => newChain()))

/** What a process that knows all users has in memory. */
async function memoryOf(chains: Chain[]): Promise<Map<string, OwnedSession>> {
  const found = await users.find({ _id: { $in: chains.map(({ userId }) => userId) } }).toArray()

  return new Map(found.map(({ sessions: [session], ...user }) => [user._id, { user, session }]))
}

const storedSession = async ({ userId }: Chain): Promise<Document | undefined> =>
  (await users.findOne({ _id: userId }))?.sessions[0]

const setSession = ({ userId }: Chain, changes: Document) =>
  users.updateOne(
    { _id: userId },
    {
      $set: Object.fromEntries(
        Object.entries(changes).map(([field, value]) => [`sessions.0.${field}`, value])
      )
    },
    durable
  )

/** `granted`, or the reason of the refusal, or the code of another error. */
const outcomeOf = (use: Promise<OwnedSession>): Promise<string> =>
  use.then(
    () => 'granted',
    (error: { code?: number; data?: { reason?: string } }) => error.data?.reason ?? String(error.code)
  )

/** The first uses of many sessions at once, and the outcomes. */
const useAll = (store: SessionStore, chains: Chain[]): Promise<string[]> =>
  Promise.all(chains.map(({ token }) => outcomeOf(store.use(token(1)))))

describe('refreshes that come while another is under way', () => {
  it('are sent as one command', async () => {
    const chains = await newChains(20)

    await withProcesses([{ remembered: await memoryOf(chains) }], async ({ store, sent }) => {
      assert.deepEqual(
        await useAll(store, chains),
        chains.map(() => 'granted')
      )
      assert.deepEqual(sent, ['findAndModify', 'update'])
    })
  })

  it('are answered and stored like one that comes alone', async () => {
    const chains = await newChains(3)

    await withProcesses([{ remembered: await memoryOf(chains) }], async ({ store }) => {
      const owned = await Promise.all(chains.map(({ token }) => store.use(token(1), 'a key')))
      const [alone, ...together] = await Promise.all(chains.map(storedSession))

      for (const [index, { user, session }] of owned.entries()) {
        const { userId, sid, token } = chains[index]!

        assert.deepEqual(user, { _id: userId })
        assert.deepEqual({ ...session, keys: [] }, { ...alone, id: sid, used: token(1).jti, keys: [] })
      }
      for (const session of together) {
        assert.deepEqual([alone!.keys.length, session!.keys.length], [1, 2])
        assert.equal(Buffer.from(session!.keys.at(-1), 'base64url').length, 32)
      }
    })
  })

  it('keep the last four keys all the same', () =>
    withProcesses([{}], async ({ store }) => {
      const [first, second] = await newChains(2)
      const keys = ['a', 'b', 'c', 'd', 'e']

      await Promise.all([store.use(first!.token(1)), store.use(second!.token(1), keys[0])])

      for (const key of keys) {
        await store.use(second!.token(1), key)
      }
      await setSession(second!, { refreshedAt: new Date(0) })

      for (const key of keys.slice(1)) {
        assert.equal(await outcomeOf(store.use(second!.token(1), key)), 'granted')
      }
      assert.equal(await outcomeOf(store.use(second!.token(1), 'a')), 'reused')
    }))

  it('have one winner each, without a leeway too', () =>
    withProcesses([{ refreshToken: { leeway: '0s' } }], async ({ store }) => {
      const [one, other] = await newChains(2)
      const outcomes = await Promise.all(
        [one, other, other, other].map((chain) => outcomeOf(store.use(chain!.token(1))))
      )

      assert.deepEqual(outcomes.toSorted(), ['granted', 'granted', 'reused', 'revoked'])
    }))

  it('end by themselves when one has to be refused', () =>
    withProcesses([{}], async ({ store }) => {
      const chains = await newChains(6)
      const [, disabled, ended, deleted, expired, spent] = chains

      await users.updateOne({ _id: disabled!.userId }, { $set: { disabled: true } }, durable)
      await users.updateOne({ _id: ended!.userId }, { $set: { sessions: [] } }, durable)
      await users.deleteOne({ _id: deleted!.userId }, durable)
      await setSession(expired!, { expiresAt: new Date(now) })
      await setSession(spent!, { used: spent!.token(2).jti })

      assert.deepEqual(await useAll(store, chains), [
        ...['granted', 'disabled', 'revoked', 'revoked', 'expired', 'reused']
      ])
      assert.equal(await storedSession(spent!), undefined)
    }))

  it('fail with the database, each like one that comes alone', () =>
    withProcesses([{}], async ({ store, close }) => {
      const chains = await newChains(4)

      await store.use(chains[0]!.token(1))
      await close()

      assert.deepEqual(await useAll(store, chains.slice(1)), ['503', '503', '503'])
    }))

  it('fail with it later as well, and are done by the same tokens', async () => {
    const chains = await newChains(4)
    const remembered = await memoryOf(chains)
    let close = async () => {}
    const lose = (call: number) => (call === atUpdate ? close() : undefined)

    await withProcesses([{ interfere: lose, remembered }, {}], async (first, second) => {
      close = first.close

      assert.deepEqual(await useAll(first.store, chains), ['granted', '503', '503', '503'])
      assert.deepEqual(
        await useAll(second.store, chains),
        chains.map(() => 'granted')
      )
    })
  })
})

describe('a refresh that another use of its session overtakes', () => {
  it('is not taken for a reuse while nobody can tell: 503, and nothing ends', async () => {
    const chains = await newChains(5)
    const [, spent, quick] = chains
    const overtake = (call: number) =>
      call === atUpdate
        ? setSession(spent!, { used: spent!.token(2).jti })
        : call === atMarks
          ? setSession(quick!, { used: quick!.token(2).jti, keys: [] })
          : undefined

    await withProcesses([{ interfere: overtake, remembered: await memoryOf(chains) }], async ({ store }) => {
      const outcomes = await useAll(store, chains)

      assert.deepEqual(outcomes, ['granted', '503', '503', 'granted', 'granted'])
      assert.ok(await storedSession(spent!))
      assert.ok(await storedSession(quick!))
      assert.equal(await outcomeOf(store.use(spent!.token(1))), 'reused')
    })
  })

  it('does not keep the others from being told apart', async () => {
    const chains = await newChains(5)
    const [, spent] = chains
    const overtake = (call: number) =>
      call === atUpdate ? setSession(spent!, { used: spent!.token(2).jti }) : undefined

    await withProcesses(
      [{ interfere: overtake, remembered: await memoryOf(chains) }],
      async ({ store, sent }) => {
        assert.deepEqual(await useAll(store, chains), ['granted', 'reused', 'granted', 'granted', 'granted'])
        // The lone one; the one that lost: by itself, and its end
        assert.equal(sent.filter((command) => command === 'findAndModify').length, 3)
      }
    )
  })
})

describe('a refresh that the database does not do', () => {
  it('fails alone', () =>
    withProcesses([{}], async ({ store }) => {
      const chains = await newChains(5)
      const [, invalid] = chains

      await client.db().command({
        collMod: 'users',
        validator: { $nor: [{ _id: invalid!.userId, 'sessions.used': invalid!.token(1).jti }] }
      })

      assert.deepEqual(await useAll(store, chains), ['granted', '121', 'granted', 'granted', 'granted'])
      assert.equal((await storedSession(invalid!))!.used, invalid!.token(0).jti)

      await client.db().command({ collMod: 'users', validator: {} })
    }))

  for (const [place, index] of [
    ['first', 0],
    ['among others', 2]
  ] as const) {
    it(`waits alone when it comes ${place}`, () =>
      withProcesses([{}], async ({ store }) => {
        const chains = await newChains(5)
        const locked = chains[index]!
        const session = client.startSession()

        session.startTransaction()
        await users.updateOne({ _id: locked.userId }, { $set: { name: 'Ada' } }, { session })

        try {
          const outcomes = chains.map(({ token }) => outcomeOf(store.use(token(1))))

          assert.deepEqual(await Promise.all(outcomes.toSpliced(index, 1)), [
            ...['granted', 'granted', 'granted', 'granted']
          ])
          assert.equal((await storedSession(locked))!.used, locked.token(0).jti)

          await session.commitTransaction()
          assert.equal(await outcomes[index], 'granted')
        } finally {
          await session.endSession()
        }
      }))
  }
})

describe('batches of two processes that race', () => {
  async function prepare({ kind }: Member): Promise<Chain> {
    const chain = await newChain({ disabled: kind === 'disabled' })
    const { token, userId } = chain

    if (kind === 'repeated') await setSession(chain, { used: token(1).jti })
    if (kind === 'reused') await setSession(chain, { used: token(2).jti })
    if (kind === 'expired') await setSession(chain, { expiresAt: new Date(now) })
    if (kind === 'ended') await users.updateOne({ _id: userId }, { $set: { sessions: [] } }, durable)

    return chain
  }

  for (const leeway of ['30s', '0s']) {
    it(`answer as each presentation by itself, with a leeway of ${leeway}`, () => {
      const options = { refreshToken: { leeway } }

      return withProcesses([options, options], async (...processes) => {
        await fc.assert(
          fc.asyncProperty(members(25), async (members) => {
            const chains = await Promise.all(members.map(prepare))
            const heard = await Promise.all(
              members.map(({ at }, index) =>
                Promise.all(
                  at.map((process) => outcomeOf(processes[process]!.store.use(chains[index]!.token(1))))
                )
              )
            )

            assert.deepEqual(
              heard.map((outcomes) => outcomes.toSorted()),
              members.map((member) => due(member, leeway !== '0s').toSorted())
            )
          }),
          { numRuns: 60 }
        )
        assert.ok(processes.every(({ sent }) => sent.includes('update')))
      })
    })
  }
})
