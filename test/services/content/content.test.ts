import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { newPerson, type Person } from '../../support/people.js'
import { restClient } from '../../support/rest.js'

const boards = ['public', 'user', 'moderator', 'admin']

describe('GET /content', () => {
  let t: TestApp
  let people: Record<string, Person>

  before(async () => {
    t = await startApp()
    people = {
      user: await newPerson(t),
      moderator: await newPerson(t, 'moderator'),
      admin: await newPerson(t, 'admin')
    }
  })
  after(() => t.stop())

  const readable: [string, number][] = [
    ['nobody', 1],
    ['user', 2],
    ['moderator', 3],
    ['admin', 4]
  ]

  for (const [who, count] of readable) {
    it(`lists and answers what may be read: ${who}`, async () => {
      const token = people[who]?.accessToken
      const ask = (path: string) => restClient(t.address).ask('GET', path, token ? { token } : {})
      const list = await ask('/content')

      assert.equal(list.status, 200)
      assert.deepEqual(
        list.body.map(({ id }: { id: string }) => id),
        boards.slice(0, count)
      )

      for (const [index, id] of boards.entries()) {
        const { status, body } = await ask(`/content/${id}`)

        assert.equal(status, index < count ? 200 : token ? 403 : 401)
        assert.deepEqual(status === 200 ? body : undefined, list.body[index])
      }
    })
  }

  it('answers 404 for an unknown board', async () => {
    for (const id of ['secret', 'Public', 'public%00', 'constructor', '__proto__']) {
      assert.equal((await people.admin!.ask('GET', `/content/${id}`)).status, 404)
    }
  })

  it('answers 401 for an invalid token, even if none is needed', async () => {
    const ended = await newPerson(t)

    await ended.ask('DELETE', '/sessions')

    for (const path of ['/content', '/content/public', '/content/user']) {
      const malformed = await restClient(t.address).ask('GET', path, { token: 'x' })
      const revoked = await ended.ask('GET', path)

      assert.deepEqual([malformed.status, malformed.body.data.reason], [401, 'invalid'])
      assert.deepEqual([revoked.status, revoked.body.data.reason], [401, 'revoked'])
      assert.equal(malformed.headers.get('www-authenticate'), 'Bearer error="invalid_token"')
    }
  })

  it('can only be read', async () => {
    const calls = [
      ['POST', '/content'],
      ['PUT', '/content/public'],
      ['PATCH', '/content/public'],
      ['PATCH', '/content'],
      ['DELETE', '/content/public'],
      ['DELETE', '/content']
    ] as const

    for (const [method, path] of calls) {
      const body = method === 'DELETE' ? undefined : { text: 'x' }

      assert.equal((await people.admin!.ask(method, path, { body })).status, 405)
    }
  })

  it('answers 400 to a query', async () => {
    assert.equal((await people.user!.ask('GET', '/content?id=admin')).status, 400)
  })
})
