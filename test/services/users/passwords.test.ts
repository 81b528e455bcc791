import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { fieldsOf } from '../../support/people.js'
import { restClient, type RestClient } from '../../support/rest.js'

const composed = '\u00e9' // é
const decomposed = 'e\u0301' // é, as some keyboards send it
const ligature = '\ufb03' // ﬃ, three letters after NFKC
const phrase = '\ufdfa' // one code point, eighteen after NFKC

describe('passwords', () => {
  let t: TestApp
  let client: RestClient

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
  })
  after(() => t.stop())

  async function signUp(password: string) {
    const email = `${randomUUID()}@example.com`

    return { email, answer: await client.ask('POST', '/users', { body: { email, password } }) }
  }

  const signIn = (email: string, password: string) => client.signIn(email, { password })

  const accepted: [string, string][] = [
    ['8 letters', 'abcdefgh'],
    ['128 letters', 'a'.repeat(128)],
    ['8 code points outside of the basic plane', '🦀'.repeat(8)],
    ['128 of them', '🦀'.repeat(128)],
    ['200 code points that compose to 100', decomposed.repeat(100)],
    ['3 ligatures that are 9 letters', ligature.repeat(3)],
    ['blanks alone', ' '.repeat(8)]
  ]

  for (const [what, password] of accepted) {
    it(`are accepted: ${what}`, async () => {
      const { email, answer } = await signUp(password)

      assert.equal(answer.status, 201)
      assert.equal((await signIn(email, password)).status, 201)
    })
  }

  const refused: [string, string][] = [
    ['none', ''],
    ['7 letters', 'abcdefg'],
    ['129 letters', 'a'.repeat(129)],
    ['7 code points outside of the basic plane', '🦀'.repeat(7)],
    ['8 code points that compose to 4', decomposed.repeat(4)],
    ['8 code points that expand to 144', phrase.repeat(8)],
    ['half of a pair, which no UTF-8 can hold', 'abcdefgh\ud83e']
  ]

  for (const [what, password] of refused) {
    it(`are refused: ${what}`, async () => {
      const { answer } = await signUp(password)

      assert.equal(answer.status, 400)
      assert.deepEqual(fieldsOf(answer), ['password'])
    })
  }

  for (const length of [73, 100, 128]) {
    it(`count to the last of ${length} bytes`, async () => {
      const start = 'a'.repeat(length - 1)
      const { email } = await signUp(`${start}b`)

      assert.equal((await signIn(email, `${start}c`)).status, 401)
      assert.equal((await signIn(email, start)).status, 401)
      assert.equal((await signIn(email, `${start}b`)).status, 201)
    })
  }

  it('count beyond a zero byte', async () => {
    const { email } = await signUp('before it\0after it')

    assert.equal((await signIn(email, 'before it\0another')).status, 401)
    assert.equal((await signIn(email, 'before it')).status, 401)
    assert.equal((await signIn(email, 'before it\0after it')).status, 201)
  })

  it('are the same, composed or not', async () => {
    const composing = await signUp(composed.repeat(8))
    const decomposing = await signUp(decomposed.repeat(8))

    assert.equal((await signIn(composing.email, decomposed.repeat(8))).status, 201)
    assert.equal((await signIn(decomposing.email, composed.repeat(8))).status, 201)
  })

  it('differ in case, and in blanks around them', async () => {
    const { email } = await signUp('Correct horse')

    assert.equal((await signIn(email, 'correct horse')).status, 401)
    assert.equal((await signIn(email, 'Correct horse ')).status, 401)
  })

  for (const [what, password] of [...refused, ['very many', 'a'.repeat(50_000)] as const]) {
    it(`that nobody can have are just wrong at sign-in: ${what}`, async () => {
      const { email } = await signUp('correct horse')
      const { status, body } = await signIn(email, password)

      assert.equal(status, 401)
      assert.deepEqual(Object.keys(body).sort(), ['className', 'code', 'message', 'name'])
    })
  }
})
