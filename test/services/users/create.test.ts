import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { fieldsOf, stored } from '../../support/people.js'
import { atOnce, password, restClient, tally, type RestClient } from '../../support/rest.js'

describe('POST /users', () => {
  let t: TestApp
  let client: RestClient

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
  })
  after(() => t.stop())

  const signUp = (body: object) => client.ask('POST', '/users', { body })

  it('answers the new user', async () => {
    const { status, body } = await signUp({ email: 'Ada@Example.com', password, name: 'Ada' })
    const { _id, ...rest } = body

    assert.equal(status, 201)
    assert.match(_id, /^[0-9a-f]{24}$/)
    assert.deepEqual(rest, {
      email: 'ada@example.com',
      name: 'Ada',
      roles: ['user'],
      disabled: false,
      createdAt: new Date(t.clock.now).toISOString()
    })
  })

  it('takes a user without a name', async () => {
    const { status, body } = await signUp({ email: 'nameless@example.com', password })

    assert.equal(status, 201)
    assert.deepEqual(Object.keys(body).sort(), ['_id', 'createdAt', 'disabled', 'email', 'roles'])
  })

  it('stores the fields of the answer, a hash of the password and no session', async () => {
    const { body } = await signUp({ email: 'stored@example.com', password, name: 'Stored' })
    const { password: hash, sessions, ...rest } = await stored(t, 'stored@example.com')

    assert.match(hash, /^\$argon2id\$/)
    assert.deepEqual(sessions, [])
    assert.deepEqual(JSON.parse(JSON.stringify(rest)), body)
  })

  for (const email of ['taken@example.com', 'TAKEN@example.com', 'Taken@Example.COM']) {
    it(`answers 409 when the email is taken: ${email}`, async () => {
      await signUp({ email: 'taken@example.com', password })

      const { status, body } = await signUp({ email, password })

      assert.equal(status, 409)
      assert.equal(body.name, 'Conflict')
    })
  }

  it('gives an email to one of many sign-ups at once, in any case', async () => {
    for (let round = 0; round < 5; round++) {
      const email = `raced-${round}@example.com`
      const answers = await atOnce(20, (index) =>
        signUp({ email: index % 2 ? email : email.toUpperCase(), password })
      )

      assert.deepEqual(tally(answers), { 201: 1, 409: 19 })
      assert.equal(await t.db.collection('users').countDocuments({ email }), 1)
    }
  })

  it('accepts a name of any 100 characters', async () => {
    const { status, body } = await signUp({ email: 'long@example.com', password, name: '🦀'.repeat(100) })

    assert.equal(status, 201)
    assert.equal(body.name, '🦀'.repeat(100))
  })

  const wrong: [string, object, string[]][] = [
    ['no email', { password }, ['email']],
    ['no password', { email: 'a@example.com' }, ['password']],
    ['nothing', {}, ['email', 'password']],
    ['an email that is none', { email: 'ada', password }, ['email']],
    ['an email with a blank around it', { email: ' ada@example.com', password }, ['email']],
    ['two emails in one', { email: 'a@example.com,b@example.com', password }, ['email']],
    [
      'an email of 255 characters',
      { email: `${'a'.repeat(64)}@${'b.'.repeat(93)}info`, password },
      ['email']
    ],
    ['an empty name', { email: 'a@example.com', password, name: '' }, ['name']],
    ['a name of 101 characters', { email: 'a@example.com', password, name: 'a'.repeat(101) }, ['name']],
    ['a name that is null', { email: 'a@example.com', password, name: null }, ['name']],
    ['numbers', { email: 1, password: 12345678, name: 3 }, ['email', 'name', 'password']],
    ['lists', { email: ['a@example.com'], password: [password] }, ['email', 'password']],
    ['operators', { email: { $ne: null }, password: { $gt: '' } }, ['email', 'password']],
    ['an unknown field', { email: 'a@example.com', password, color: 'red' }, ['color']],
    ['roles', { email: 'a@example.com', password, roles: ['admin'] }, ['roles']],
    ['an id', { email: 'a@example.com', password, _id: '0'.repeat(24) }, ['_id']],
    ['disabled', { email: 'a@example.com', password, disabled: false }, ['disabled']],
    ['sessions', { email: 'a@example.com', password, sessions: [] }, ['sessions']],
    ['createdAt', { email: 'a@example.com', password, createdAt: '2020-01-01T00:00:00Z' }, ['createdAt']],
    ['an operator as a key', { email: 'a@example.com', password, $set: { roles: ['admin'] } }, ['$set']],
    ['a dotted key', { email: 'a@example.com', password, 'roles.0': 'admin' }, ['roles.0']]
  ]

  it('says what a field must be, in words for people', async () => {
    const { body } = await signUp({ email: 'ada', password: 'short', name: '', color: 'red' })

    assert.deepEqual(
      new Map(body.errors.map((error: { field: string; message: string }) => [error.field, error.message])),
      new Map([
        ['color', 'is not a known field'],
        ['email', 'must be an email address, such as ada@example.com'],
        ['password', 'must have 8 to 128 characters'],
        ['name', 'must not be empty']
      ])
    )
    assert.match(body.message, /'email' must be an email address, such as ada@example\.com/)
  })

  for (const [what, body, fields] of wrong) {
    it(`answers 400 and names the field: ${what}`, async () => {
      const answer = await signUp(body)

      assert.equal(answer.status, 400)
      assert.equal(answer.body.name, 'BadRequest')
      assert.deepEqual(fieldsOf(answer).sort(), fields)
      assert.equal(await t.db.collection('users').countDocuments({ email: 'a@example.com' }), 0)
    })
  }
})
