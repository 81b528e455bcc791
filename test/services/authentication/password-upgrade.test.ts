import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { hash as argon2 } from '@node-rs/argon2'
import { hash as bcrypt } from '@node-rs/bcrypt'
import { hash as bcryptjs } from 'bcryptjs'
import { costlyHashes, startApp, type TestApp } from '../../support/app.js'
import { newPerson, stored } from '../../support/people.js'
import { rounds } from '../../support/race.js'
import { atOnce, password, restClient, tally, type RestClient } from '../../support/rest.js'

const argon2i = 1 as never // the enum of the package is one of its types alone
const today = /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/
const stockCost = 10 // bcrypt rounds, as a power of two
const raced = ['of bcrypt, version 2b', 'of less memory']
const decomposed = 're\u0301sume\u0301 of a horse' // é as two code points, one after NFKC

// For passwords without a zero byte the versions say the same in another way
const asVersion = (version: string, hash: string) => hash.replace(/^\$2[aby]/, `$${version}`)

const hashes: [string, (password: string) => Promise<string>][] = [
  ['of stock Feathers', (password) => bcryptjs(password, stockCost)],
  ['of bcrypt, version 2a', async (password) => asVersion('2a', await bcrypt(password, 4))],
  ['of bcrypt, version 2b', async (password) => asVersion('2b', await bcrypt(password, 4))],
  ['of less memory', (password) => argon2(password, { memoryCost: 8192, timeCost: 2, parallelism: 1 })],
  ['of more passes', (password) => argon2(password, { memoryCost: 19456, timeCost: 3, parallelism: 1 })],
  ['of more lanes', (password) => argon2(password, { memoryCost: 19456, timeCost: 2, parallelism: 2 })],
  ['of Argon2i', (password) => argon2(password, { memoryCost: 19456, timeCost: 2, algorithm: argon2i })]
]

describe('a password hash of another kind or cost', () => {
  let t: TestApp
  let client: RestClient

  before(async () => {
    t = await startApp({ settings: { passwords: costlyHashes } })
    client = restClient(t.address)
  })
  after(() => t.stop())

  const users = () => t.db.collection('users')

  /** A user as stock Feathers leaves it; answers the email. */
  async function migrated(hash: string): Promise<string> {
    const email = `${randomUUID()}@example.com`

    await users().insertOne({ email, password: hash })
    return email
  }

  for (const [what, hash] of hashes) {
    it(`${what} signs in, and is upgraded by that`, async () => {
      const email = await migrated(await hash(password))
      const { status, body } = await client.signIn(email)

      assert.equal(status, 201)
      assert.match((await stored(t, email)).password, today)
      assert.equal((await client.refresh(body.refreshToken)).status, 201)
      assert.equal((await client.signIn(email)).status, 201)
    })

    it(`${what} stays as it is when the password is wrong`, async () => {
      const email = await migrated(await hash(password))
      const before = await stored(t, email)

      assert.equal((await client.signIn(email, { password: 'wrong horse battery' })).status, 401)
      assert.deepEqual(await stored(t, email), before)
    })
  }

  for (const [what, hash] of hashes.filter(([what]) => raced.includes(what))) {
    it(`${what} lets 20 sign-ins at once in`, async () => {
      const old = await hash(password)

      await rounds(async () => {
        const email = await migrated(old)
        const answers = await atOnce(20, () => client.signIn(email))
        const { password: upgraded, sessions } = await stored(t, email)

        assert.deepEqual(tally(answers), { '201': 20 })
        assert.match(upgraded, today)
        assert.equal(sessions.length, 20)
        for (const { body } of answers) {
          assert.equal((await client.ask('GET', '/sessions', { token: body.accessToken })).status, 200)
        }
      }, 3)
    })
  }

  it('of bcrypt is kept if it covers only the beginning of the password, and a new one is requested', async () => {
    const long = 'correct horse battery staple '.repeat(4)
    const beginning = long.slice(0, 72) // all that bcrypt uses
    const email = await migrated(await bcryptjs(long, 4))
    const before = (await stored(t, email)).password

    for (const guess of [beginning, `${beginning}x`, long]) {
      const { status, body } = await client.signIn(email, { password: guess })

      assert.equal(status, 201)
      assert.equal(body.authentication.newPasswordNeeded, true)
      assert.equal((await stored(t, email)).password, before)
    }

    const { body } = await client.signIn(email, { password: long })
    const change = await client.ask('PATCH', `/users/${body.user._id}`, {
      token: body.accessToken,
      body: { password: 'quite another horse', currentPassword: long }
    })

    assert.equal(change.status, 200)
    assert.equal((await client.signIn(email, { password: beginning })).status, 401)

    const after = await client.signIn(email, { password: 'quite another horse' })

    assert.equal(after.body.authentication.newPasswordNeeded, undefined)
    assert.equal((await stored(t, email)).newPasswordNeeded, undefined)
  })

  it('is not changed again once it is upgraded', async () => {
    const email = await migrated(await bcryptjs(password, 4))

    await client.signIn(email)
    const { password: upgraded } = await stored(t, email)

    await client.signIn(email)
    assert.equal((await stored(t, email)).password, upgraded)
  })

  it('lets the user change the email while 19 clients sign in, as many as end no session', async () => {
    const old = await bcrypt(password, 4)

    await rounds(async () => {
      const ada = await newPerson(t)

      await users().updateOne({ email: ada.email }, { $set: { password: old } })

      const [change, ...answers] = await Promise.all([
        ada.ask('PATCH', `/users/${ada.id}`, { body: { email: ada.email, currentPassword: password } }),
        ...(await atOnce(19, async () => () => client.signIn(ada.email))).map((signIn) => signIn())
      ])

      assert.equal(change.status, 200)
      assert.deepEqual(tally(answers), { '201': 19 })
    }, 3)
  })

  it('never replaces a password that was changed meanwhile', async () => {
    const old = await bcrypt(password, 4)
    const admin = await newPerson(t, 'admin')
    const changed = { password: 'another horse battery' }

    await rounds(async () => {
      const ada = await newPerson(t)

      await users().updateOne({ email: ada.email }, { $set: { password: old } })

      const signIns = atOnce(20, () => client.signIn(ada.email))
      const change = await admin.ask('PATCH', `/users/${ada.id}`, { body: changed })
      const outcomes = Object.keys(tally(await signIns))

      assert.equal(change.status, 200)
      assert.deepEqual(
        outcomes.filter((outcome) => !['201', '401'].includes(outcome)),
        []
      )
      assert.deepEqual((await stored(t, ada.email)).sessions, [])
      assert.equal((await client.signIn(ada.email)).status, 401)
      assert.equal((await client.signIn(ada.email, changed)).status, 201)
    }, 3)
  })

  it('of a disabled user lets nobody in', async () => {
    const email = await migrated(await bcryptjs(password, 4))

    await users().updateOne({ email }, { $set: { disabled: true } })
    assert.deepEqual(tally([await client.signIn(email)]), { '401 disabled': 1 })
  })

  for (const [what, hashed, given] of [
    ['was hashed as it was typed', decomposed, decomposed],
    ['was hashed composed', decomposed.normalize('NFKC'), decomposed]
  ] as const) {
    it(`matches a password that ${what}, and is composed from then on`, async () => {
      const email = await migrated(await bcryptjs(hashed, 4))

      assert.equal((await client.signIn(email, { password: given })).status, 201)
      assert.equal((await client.signIn(email, { password: given.normalize('NFC') })).status, 201)
      assert.equal((await client.signIn(email, { password: given.normalize('NFD') })).status, 201)
    })
  }

  it('of bcrypt is upgraded by a password of 71 bytes, which it covers in full', async () => {
    const long = 'a'.repeat(71)
    const email = await migrated(await bcryptjs(long, 4))

    assert.equal((await client.signIn(email, { password: long })).status, 201)
    assert.match((await stored(t, email)).password, today)
    assert.equal((await client.signIn(email, { password: `${long}a` })).status, 401)
  })

  for (const unreadable of [
    '',
    'correct horse battery',
    '$2b$',
    '$argon2id$v=19$m=19456,t=2,p=1$',
    'a'.repeat(60)
  ]) {
    it(`that can not be read is no one's password: ${unreadable}`, async () => {
      const email = await migrated(unreadable)

      assert.deepEqual(tally([await client.signIn(email)]), { '401': 1 })
      assert.deepEqual(tally([await client.signIn(email, { password: unreadable })]), { '401': 1 })
    })
  }

  it("that is missing is no one's password", async () => {
    const email = `${randomUUID()}@example.com`

    await users().insertOne({ email })
    assert.deepEqual(tally([await client.signIn(email)]), { '401': 1 })
  })
})
