import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { fieldsOf, newPerson, stored, type Person } from '../../support/people.js'
import { restClient } from '../../support/rest.js'

describe('PATCH /sessions/:id', () => {
  let t: TestApp
  let ada: Person

  before(async () => {
    t = await startApp()
  })
  beforeEach(async () => {
    ada = await newPerson(t, 'user', { device: { id: 'laptop', name: 'Laptop' } })
  })
  after(() => t.stop())

  const patch = (id: string, body: unknown) => ada.ask('PATCH', `/sessions/${id}`, { body })

  it('renames the device, and changes nothing else', async () => {
    const { status, body } = await patch(ada.session.id, { device: { name: 'Old laptop' } })

    assert.equal(status, 200)
    assert.deepEqual(body, { ...ada.session, device: { ...ada.session.device, name: 'Old laptop' } })
    assert.deepEqual((await ada.ask('GET', '/sessions')).body, [body])
  })

  it('names a device that had no name, of another session', async () => {
    const { session } = await ada.signIn()
    const { body } = await patch(session.id, { device: { name: '🦀'.repeat(100) } })

    assert.equal(body.device.name, '🦀'.repeat(100))
    assert.equal(body.current, false)
  })

  it('leaves the tokens as they are', async () => {
    await patch(ada.session.id, { device: { name: 'Old laptop' } })

    assert.equal((await restClient(t.address).refresh(ada.refreshToken)).status, 201)
  })

  const wrong: [unknown, string][] = [
    [{}, 'device'],
    [{ device: null }, 'device'],
    [{ device: 'Laptop' }, 'device'],
    [{ device: [] }, 'device'],
    [{ device: {} }, 'device.name'],
    [{ device: { name: '' } }, 'device.name'],
    [{ device: { name: 'a'.repeat(101) } }, 'device.name'],
    [{ device: { name: 1 } }, 'device.name'],
    [{ device: { name: null } }, 'device.name'],
    [{ device: { name: { $ne: '' } } }, 'device.name'],
    [{ device: { name: 'x', id: 'y' } }, 'device.id'],
    [{ device: { name: 'x', userAgent: 'y' } }, 'device.userAgent'],
    [{ device: { name: 'x', ip: 'y' } }, 'device.ip'],
    [{ device: { name: 'x' }, id: 'y' }, 'id'],
    [{ device: { name: 'x' }, expiresAt: '2099-01-01T00:00:00Z' }, 'expiresAt'],
    [{ device: { name: 'x' }, current: true }, 'current'],
    [{ device: { name: 'x' }, $set: { used: 'y' } }, '$set'],
    [{ 'device.name': 'x', device: { name: 'x' } }, 'device.name']
  ]

  for (const [body, field] of wrong) {
    it(`answers 400 and changes nothing: ${JSON.stringify(body).slice(0, 60)}`, async () => {
      const before = await stored(t, ada.email)
      const answer = await patch(ada.session.id, body)

      assert.equal(answer.status, 400)
      assert.deepEqual(fieldsOf(answer), [field])
      assert.deepEqual(await stored(t, ada.email), before)
    })
  }

  it('needs an id', async () => {
    const { status } = await ada.ask('PATCH', '/sessions', { body: { device: { name: 'All' } } })

    assert.equal(status, 405)
  })

  it('has no other methods', async () => {
    for (const [method, path] of [
      ['POST', '/sessions'],
      ['PUT', `/sessions/${ada.session.id}`]
    ] as const) {
      assert.equal((await ada.ask(method, path, { body: { device: { name: 'x' } } })).status, 405)
    }
  })
})
