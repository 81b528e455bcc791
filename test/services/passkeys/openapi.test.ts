import { Ajv, addFormats } from '@feathersjs/schema'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { TestApp } from '../../support/app.js'
import { passkeyAccounts, startPasskeyApp } from '../../support/passkeys.js'
import { newPerson } from '../../support/people.js'
import { restClient, type Answer } from '../../support/rest.js'

describe('the OpenAPI document, with passkeys', () => {
  let t: TestApp
  let accounts: ReturnType<typeof passkeyAccounts>
  let document: any
  let ajv: Ajv

  before(async () => {
    t = await startPasskeyApp()
    accounts = passkeyAccounts(t)
    document = (await restClient(t.address).ask('GET', '/openapi.json')).body
    ajv = addFormats(new Ajv({ strict: false, allErrors: true })).addSchema(document, 'openapi')
  })
  after(() => t.stop())

  const schemaAt = (...path: string[]) => ({
    $ref: `openapi#/${path.map((part) => encodeURIComponent(part.replaceAll('/', '~1'))).join('/')}`
  })
  const content = ['content', 'application/json', 'schema']
  const isTrue = (path: string, method: string, { status, body }: Answer) => {
    const validate = ajv.compile(schemaAt('paths', path, method, 'responses', String(status), ...content))

    assert.ok(validate(body), `${method} ${path} ${status}: ${JSON.stringify(validate.errors)}`)
  }
  const accepts = (path: string, method: string, body: unknown) => {
    const validate = ajv.compile(schemaAt('paths', path, method, 'requestBody', ...content))

    assert.ok(validate(body), `${method} ${path}: ${JSON.stringify(validate.errors)}`)
  }

  it('is true of all that is asked and answered', async () => {
    const person = await newPerson(t)
    const device = accounts.device()
    const asked = { purpose: 'register' }
    const challenge = await person.ask('POST', '/passkey-challenges', { body: asked })

    accepts('/passkey-challenges', 'post', asked)
    isTrue('/passkey-challenges', 'post', challenge)

    const registration = {
      challenge: challenge.body.id,
      response: device.create(challenge.body.options),
      name: 'Phone'
    }
    const added = await person.ask('POST', '/passkeys', { body: registration })

    accepts('/passkeys', 'post', registration)
    assert.equal(added.status, 201)
    isTrue('/passkeys', 'post', added)
    isTrue('/passkeys', 'get', await person.ask('GET', '/passkeys'))

    const { id, options } = await accounts.challenge('sign-in')
    const signIn = { strategy: 'passkey', challenge: id, response: device.get(options) }
    const signedIn = await accounts.client.authenticate(signIn)

    accepts('/authentication', 'post', signIn)
    isTrue('/authentication', 'post', signedIn)

    const token = signedIn.body.accessToken
    const path = `/passkeys/${added.body.id}`

    isTrue('/passkeys', 'get', await person.ask('GET', '/passkeys'))
    isTrue('/passkeys/{id}', 'patch', await person.ask('PATCH', path, { body: { name: 'Work' } }))
    isTrue('/passkeys/{id}', 'delete', await person.ask('DELETE', path, { token }))
  })

  it('tells what a step-up and the gate ask for', async () => {
    const { person } = await accounts.owner()
    const gate = await accounts.client.signIn(person.email)

    t.clock.advance(11 * 60_000)

    const stepUp = await person.ask('DELETE', '/passkeys/any')
    const { headers } = document.components.responses.NotAuthenticated
    const { pattern } = headers['WWW-Authenticate'].schema
    const validate = ajv.compile(schemaAt('components', 'responses', 'NotAuthenticated', ...content))

    for (const [{ status, headers, body }, reason] of [
      [gate, 'factor'],
      [stepUp, 'step-up']
    ] as const) {
      assert.deepEqual([status, body.data.reason], [401, reason])
      assert.ok(validate(body), JSON.stringify(validate.errors))
      assert.match(headers.get('www-authenticate')!, new RegExp(pattern))
    }
  })

  it('tells both ways to sign up', async () => {
    const { id, options } = await accounts.challenge('sign-up')
    const email = `${randomUUID()}@example.com`
    const user = { email, passkey: { challenge: id, response: accounts.device().create(options) } }
    const answer = await accounts.client.ask('POST', '/users', { body: user })

    assert.equal(answer.status, 201)
    accepts('/users', 'post', user)
    accepts('/users', 'post', { email, password: 'correct horse battery' })
    isTrue('/users', 'post', answer)
  })
})
