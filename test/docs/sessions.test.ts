import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { snippet } from '../support/documents.js'
import { newPerson, stored } from '../support/people.js'
import { outcome, restClient, type RestClient } from '../support/rest.js'
import { decoded } from '../support/tokens.js'

const day = 24 * 60 * 60_000 // ms

/** The words of a figure, without its lines. */
const words = (figure: string): string[] =>
  figure
    .split(/[\n─│┌┐└┘├┤▶◀▼]+| {2,}/)
    .map((part) => part.trim())
    .filter(Boolean)

describe('docs/sessions.md', () => {
  let t: TestApp
  let client: RestClient

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
  })
  after(() => t.stop())

  /** The token that the session remembers, by its name in the figure. */
  const remembered = async (email: string, tokens: Record<string, string>) => {
    const [{ used }] = (await stored(t, email)).sessions

    return Object.keys(tokens).find((name) => decoded(tokens[name]!).claims.jti === used) ?? 'its root'
  }

  it('shows the record of a session, field by field', async () => {
    const record = snippet('docs/sessions.md', 'a UUID of version 7')
    const fields = [...record.matchAll(/^ {2}(\w+)\??:|^ {2}(\w+), (\w+), (\w+)$/gm)].flatMap(
      ([, ...names]) => names.filter(Boolean)
    )
    const rare = ['token', 'unanswered', 'authenticatedAt']
    const { email } = await newPerson(t, 'user', { device: { id: 'laptop', name: 'Laptop' } })
    const [session] = (await stored(t, email)).sessions

    assert.deepEqual(
      fields.filter((name) => !rare.includes(name)),
      Object.keys(session)
    )
    assert.match(record, /^ {2}token\?:/m)
    assert.deepEqual(
      /device: +\{ (.*) \}/
        .exec(record)![1]!
        .split(', ')
        .map((name) => name.replace('?', ''))
        .sort(),
      Object.keys(session.device).sort()
    )
  })

  it('shows a session from its sign-in to its end', async () => {
    const figure = snippet('docs/sessions.md', 'access tokens')
    const { accessLife, idleLife, absoluteLife } = t.app.service('authentication').settings
    const ada = await newPerson(t)
    const { idle, whole } = /(?<idle>\d+) days without a refresh[^]* (?<whole>\d+) days in all/.exec(
      figure
    )!.groups!
    const start = t.clock.now
    let { refreshToken, session } = ada

    assert.match(figure, new RegExp(`─ ${accessLife / 60_000} minutes ─`))
    assert.deepEqual([Number(idle) * day, Number(whole) * day], [idleLife, absoluteLife])

    try {
      while (Date.parse(session.expiresAt) > t.clock.now) {
        const expected = Math.min(t.clock.now + idleLife, start + absoluteLife)

        assert.ok(Math.abs(Date.parse(session.expiresAt) - expected) <= 1000)
        t.clock.advance(idleLife - 2 * day)

        const answer = await client.refresh(refreshToken)

        if (answer.status !== 201) {
          assert.equal(outcome(answer), '401 expired')
          break
        }

        ;({ refreshToken, session } = answer.body)
      }

      assert.ok(t.clock.now >= start + absoluteLife)
    } finally {
      t.clock.now = start
    }
  })

  it('shows what happens to a refresh token', async () => {
    const [, seconds] = /within (\d+) s/.exec(snippet('docs/sessions.md', 'sign-in: answers A'))!
    const leeway = Number(seconds) * 1000 // ms
    const idempotencyKey = 'of this attempt'
    const use = async (token: string, more = {}) => {
      const answer = await client.refresh(token, more)

      assert.equal(outcome(answer), '201')
      return answer.body.refreshToken as string
    }

    assert.deepEqual(words(snippet('docs/sessions.md', 'sign-in: answers A')), [
      'sign-in: answers A',
      'remembers its root',
      'A, first use: answers B',
      'remembers A',
      `A again, within ${seconds} s of its first use: answers B′`,
      'A again, with an idempotency key it came with before: answers B′',
      'A again, later and without such a key',
      'B or B′, first use: answers C',
      'ended',
      'remembers B or B′',
      'A, or the other of B and B′',
      '401 `reused` once',
      'then `revoked`',
      'and so on'
    ])

    // Each way to end the session, in a session of its own
    for (const end of ['A again, later', 'A', 'the other']) {
      const { email, refreshToken: A } = await newPerson(t)

      assert.equal(await remembered(email, { A }), 'its root')

      const B = await use(A, { idempotencyKey })

      assert.equal(await remembered(email, { A, B }), 'A')
      t.clock.advance(leeway - 1)
      await use(A)
      t.clock.advance(1)

      const other = await use(A, { idempotencyKey })

      assert.equal(await remembered(email, { A, B, other }), 'A')

      // B′ is used, so the other one is B
      const last = end === 'A again, later' ? other : await use(other)
      const late = end === 'the other' ? B : A

      assert.equal(await remembered(email, { A, B, other }), end === 'A again, later' ? 'A' : 'other')
      assert.equal(outcome(await client.refresh(late)), '401 reused')
      assert.deepEqual((await stored(t, email)).sessions, [])
      assert.equal(outcome(await client.refresh(late)), '401 revoked')
      assert.equal(outcome(await client.refresh(last)), '401 revoked')
    }
  })
})
