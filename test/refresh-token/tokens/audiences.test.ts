import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../../support/app.js'
import { newPerson } from '../../support/people.js'
import { outcome, restClient } from '../../support/rest.js'

const audiencesOf = (...audience: string[]) => ({ authentication: { jwtOptions: { audience } } })

describe('several audiences', () => {
  let t: TestApp

  before(async () => {
    t = await startApp({ settings: audiencesOf('shop', 'admin') })
  })
  after(() => t.stop())

  /** Presents an access token of another app on the same database and secret. */
  const presented = (audience: string) =>
    withApp({ settings: audiencesOf(audience), database: t.db.databaseName }, async (other) => {
      const { accessToken } = await newPerson(other)

      return outcome(await restClient(t.address).ask('GET', '/sessions', { token: accessToken }))
    })

  it('are accepted, and the first is signed', async () => {
    const { accessToken } = await newPerson(t)
    const [, payload] = accessToken.split('.')

    assert.equal(JSON.parse(Buffer.from(payload!, 'base64url').toString()).aud, 'shop')
    assert.equal(await presented('shop'), '200')
    assert.equal(await presented('admin'), '200')
  })

  it('leave out all others', async () => {
    assert.equal(await presented('report'), '401 invalid')
  })
})
