import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { socketsOf } from '../../support/live.js'
import { fieldsOf, newPerson, stored, type Person } from '../../support/people.js'
import { password, restClient, type Answer, type RestClient } from '../../support/rest.js'

const fullWidth = (text: string) =>
  text.replace(/[!-~]/g, (sign) => String.fromCharCode(sign.charCodeAt(0) + 0xfee0)) // as letters after NFKC

const common = ['12345678', 'password1', 'PassWord1', 'qwertyuiop', 'ADMINISTRATOR', fullWidth('password1')]

describe('a password that is easy to guess', () => {
  let t: TestApp
  let client: RestClient
  let ada: Person
  let admin: Person

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
    ada = await newPerson(t)
    admin = await newPerson(t, 'admin')
  })
  after(() => t.stop())

  const signUp = (email: string, password: string) =>
    client.ask('POST', '/users', { body: { email, password } })

  const change = (by: Person, of: Person, data: object) =>
    by.ask('PATCH', `/users/${of.id}`, { body: by === of ? { ...data, currentPassword: password } : data })

  function assertRefused(answer: Answer, password: string) {
    assert.equal(answer.status, 400)
    assert.equal(answer.body.name, 'BadRequest')
    assert.deepEqual(fieldsOf(answer), ['password'])
    assert.ok(!JSON.stringify(answer.body).includes(password))
  }

  for (const weak of common) {
    it(`is refused at sign-up: ${weak}`, async () => {
      const email = `${randomUUID()}@example.com`

      assertRefused(await signUp(email, weak), weak)
      assert.equal(await t.db.collection('users').countDocuments({ email }), 0)
    })

    it(`is refused at a change, by oneself and by an admin: ${weak}`, async () => {
      const before = await stored(t, ada.email)

      assertRefused(await change(ada, ada, { password: weak }), weak)
      assertRefused(await change(admin, ada, { password: weak }), weak)
      assertRefused(await change(admin, admin, { password: weak }), weak)
      assert.deepEqual(await stored(t, ada.email), before)
    })
  }

  for (const [what, email, own] of [
    ['the own email', 'grace.hopper@example.com', 'grace.hopper@example.com'],
    ['in another case', 'grace.hopper@example.com', 'Grace.Hopper@EXAMPLE.com'],
    ['in wide letters', 'grace.hopper@example.com', fullWidth('grace.hopper@example.com')],
    ['what stands before its @', 'Grace.Hopper@example.com', 'grace.hoppeR'],
    ['8 letters before its @', 'ghoppers@example.com', 'ghoppers']
  ] as const) {
    it(`is refused at sign-up: ${what}`, async () => {
      assertRefused(await signUp(email, own), own)
    })
  }

  it('is refused at a change: the email that is stored', async () => {
    for (const own of [ada.email.toUpperCase(), ada.email.split('@')[0]!]) {
      assertRefused(await change(ada, ada, { password: own }), own)
      assertRefused(await change(admin, ada, { password: own }), own)
    }
  })

  it('is refused at a change: the email that comes with it', async () => {
    const email = `${randomUUID()}@example.com`

    for (const by of [ada, admin]) {
      assertRefused(await change(by, ada, { email, password: email.toUpperCase() }), email.toUpperCase())
    }
    assert.ok(await stored(t, ada.email))
  })

  it('is refused over a socket', async () => {
    const sockets = socketsOf(() => t.address)
    const socket = await sockets.anonymous()
    const call = socket.call('create', 'users', {
      email: `${randomUUID()}@example.com`,
      password: 'Password1'
    })

    await assert.rejects(call, ({ code, errors }) => code === 400 && errors[0].field === 'password')
    sockets.closeAll()
  })

  it('is not reported to a caller who does not know the current one', async () => {
    const body = { password: 'password1', currentPassword: 'wrong horse battery' }

    assert.equal((await ada.ask('PATCH', `/users/${ada.id}`, { body })).status, 403)
  })

  it('is accepted if it only contains such a password', async () => {
    for (const strong of ['password1 and a horse', 'my ada.lovelace@example.com']) {
      assert.equal((await signUp(`${randomUUID()}@example.com`, strong)).status, 201)
    }
  })

  it("is accepted if it is another user's email", async () => {
    assert.equal((await signUp(`${randomUUID()}@example.com`, admin.email)).status, 201)
  })

  it('is a 404 for an admin who changes it for an unknown user', async () => {
    const body = { password: 'another horse battery' }

    assert.equal((await admin.ask('PATCH', `/users/${'0'.repeat(24)}`, { body })).status, 404)
  })
})
