import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { Ajv, addFormats } from '@feathersjs/schema'
import feathersPackage from '@feathersjs/feathers'
import { startApp, withApp, type TestApp } from '../support/app.js'
import { newPerson, type Person } from '../support/people.js'
import { password, restClient, type Answer, type RestClient } from '../support/rest.js'
import { poll } from '../support/socket.js'

const calls: Record<string, [string, string]> = {
  find: ['get', ''],
  get: ['get', '/{id}'],
  create: ['post', ''],
  patch: ['patch', '/{id}'],
  remove: ['delete', '/{id}']
}

describe('GET /openapi.json', () => {
  let t: TestApp
  let client: RestClient
  let ada: Person
  let admin: Person
  // eslint-disable-next-line typescript/no-explicit-any -- a test reads what it expects
  let document: any
  let ajv: Ajv

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
    ada = await newPerson(t)
    admin = await newPerson(t, 'admin')
    document = (await client.ask('GET', '/openapi.json')).body
    ajv = addFormats(new Ajv({ strict: false, allErrors: true })).addSchema(document, 'openapi')
  })
  after(() => t.stop())

  /** A part of the document, through references. */
  const part = (...names: string[]) => {
    const found = names.reduce((node, name) => resolved(node[name] ?? {}), document)

    return found
  }
  // eslint-disable-next-line typescript/no-explicit-any -- a test reads what it expects
  const resolved = (node: any): any =>
    node.$ref
      ? node.$ref
          .slice(2)
          .split('/')
          // eslint-disable-next-line typescript/no-explicit-any -- a test reads what it expects
          .reduce((inner: any, name: string) => inner[name], document)
      : node

  it('answers an OpenAPI 3.1 document that may be cached', async () => {
    const { status, headers } = await client.ask('GET', '/openapi.json')

    assert.equal(status, 200)
    assert.match(headers.get('Content-Type')!, /^application\/json/)
    assert.equal(headers.get('Cache-Control'), 'public, max-age=300')
    assert.equal(document.openapi, '3.1.0')
    assert.equal((await client.ask('HEAD', '/openapi.json')).status, 200)
  })

  it('lists every method of every service', () => {
    for (const [name, service] of Object.entries(t.app.services)) {
      for (const method of feathersPackage.getServiceOptions(service).methods!) {
        const [http, id] = calls[method]!
        // Signing out takes no id: the token says which session ends
        const path = name === 'authentication' ? `/${name}` : `/${name}${id}`

        assert.ok(document.paths[path]?.[http], `${name} ${method}`)
      }
    }
  })

  it('uses only keywords of JSON Schema', () => {
    assert.doesNotMatch(JSON.stringify(document), /objectid|passwordLength|"date":|"\$id"/)
  })

  const newUser = () => ({ email: `${randomUUID()}@example.com`, password })
  const answers: [string, string, string, number, () => Promise<Answer>][] = [
    ['a sign-up', 'post', '/users', 201, () => client.ask('POST', '/users', { body: newUser() })],
    [
      'a taken email',
      'post',
      '/users',
      409,
      () => client.ask('POST', '/users', { body: { email: ada.email, password } })
    ],
    ['wrong data', 'post', '/users', 400, () => client.ask('POST', '/users', { body: { email: 1 } })],
    ['broken JSON', 'post', '/users', 400, () => client.ask('POST', '/users', { body: '{' })],
    [
      'a large body',
      'post',
      '/users',
      413,
      () => client.ask('POST', '/users', { body: { email: 'a'.repeat(200_000) } })
    ],
    ['a page', 'get', '/users', 200, () => admin.ask('GET', '/users')],
    ['a selection', 'get', '/users', 200, () => admin.ask('GET', '/users?$select[]=email')],
    ['a user', 'get', '/users/{id}', 200, () => ada.ask('GET', `/users/${ada.id}`)],
    ['no user', 'get', '/users/{id}', 404, () => ada.ask('GET', `/users/${admin.id}`)],
    [
      'a change',
      'patch',
      '/users/{id}',
      200,
      () => ada.ask('PATCH', `/users/${ada.id}`, { body: { name: 'Ada' } })
    ],
    [
      'a change of roles',
      'patch',
      '/users/{id}',
      403,
      () => ada.ask('PATCH', `/users/${ada.id}`, { body: { roles: [] } })
    ],
    ['a sign-in', 'post', '/authentication', 201, () => client.signIn(ada.email)],
    [
      'a refresh',
      'post',
      '/authentication',
      201,
      async () => client.refresh((await ada.signIn()).refreshToken)
    ],
    [
      'an access token',
      'post',
      '/authentication',
      201,
      () => client.authenticate({ strategy: 'jwt', accessToken: ada.accessToken })
    ],
    ['a forged token', 'post', '/authentication', 401, () => client.refresh('forged')],
    [
      'a sign-out',
      'delete',
      '/authentication',
      200,
      async () => (await newPerson(t)).ask('DELETE', '/authentication')
    ],
    ['the sessions', 'get', '/sessions', 200, () => ada.ask('GET', '/sessions')],
    ['no token', 'get', '/sessions', 401, () => client.ask('GET', '/sessions')],
    ["another's sessions", 'get', '/sessions', 403, () => ada.ask('GET', `/sessions?userId=${admin.id}`)],
    ['a session', 'get', '/sessions/{id}', 200, () => ada.ask('GET', `/sessions/${ada.session.id}`)],
    ['their end', 'delete', '/sessions', 200, () => ada.ask('DELETE', '/sessions?current=false')],
    ['the boards', 'get', '/content', 200, () => client.ask('GET', '/content')],
    ['a board', 'get', '/content/{id}', 200, () => client.ask('GET', '/content/public')],
    ['a board of admins', 'get', '/content/{id}', 403, () => ada.ask('GET', '/content/admin')],
    ['the events', 'get', '/events', 200, () => admin.ask('GET', '/events?userId=all')],
    ["another's events", 'get', '/events', 403, () => ada.ask('GET', `/events?userId=${admin.id}`)],
    ['its health', 'get', '/health', 200, () => client.ask('GET', '/health')],
    [
      'its readiness',
      'get',
      '/ready',
      200,
      () =>
        poll(
          () => client.ask('GET', '/ready').then((answer) => (answer.status === 200 ? answer : null)),
          '/ready'
        )
    ],
    ['its keys', 'get', '/.well-known/jwks.json', 200, () => client.ask('GET', '/.well-known/jwks.json')]
  ]

  for (const [what, method, path, status, ask] of answers) {
    it(`is true of ${what}: ${method} ${path} ${status}`, async () => {
      const answer = await ask()
      const { content, headers = {} } = part('paths', path, method, 'responses', String(status))
      const [type] = answer.headers.get('Content-Type')!.split(';')
      const schema = content?.[type!]?.schema

      assert.equal(answer.status, status)
      assert.ok(schema, `${type} is not documented`)

      const validate = ajv.compile(withRoot(schema))

      assert.ok(validate(answer.body), JSON.stringify(validate.errors))
      for (const [name, { required }] of Object.entries<{ required?: boolean }>(headers)) {
        assert.ok(!required || answer.headers.has(name), name)
      }
    })
  }

  it('has examples of bodies that are accepted', async () => {
    const { example } = part('paths', '/users', 'post', 'requestBody', 'content', 'application/json')
    const login = part('paths', '/authentication', 'post', 'requestBody', 'content', 'application/json')
    const { email, password: known } = login.example

    assert.equal((await client.ask('POST', '/users', { body: example })).status, 201)
    assert.equal((await client.ask('POST', '/users', { body: { email, password: known } })).status, 201)
    assert.equal((await client.ask('POST', '/authentication', { body: login.example })).status, 201)
  })

  it('follows the settings', async () => {
    const settings = { authentication: { 'refresh-token': { field: 'refresh_token', cookie: {} } } }

    await withApp({ settings }, async ({ address }) => {
      const { post } = (await restClient(address).ask('GET', '/openapi.json')).body.paths['/authentication']
      const { schema } = post.requestBody.content['application/json']
      const [, local, refresh] = schema.oneOf
      const answer = post.responses['201']

      assert.deepEqual(local.properties.cookie, { type: 'boolean' })
      assert.deepEqual(refresh.properties.refresh_token, { type: 'string' })
      assert.deepEqual(refresh.required, ['strategy'])
      assert.ok(answer.content['application/json'].schema.properties.refresh_token)
      assert.ok(answer.headers['Set-Cookie'])
      assert.ok(post.responses['403'])
    })
  })

  /** References of the document stay within it. */
  const withRoot = (schema: object) =>
    JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"openapi#/components'))
})

describe('a method that a path does not support', () => {
  let t: TestApp

  before(async () => {
    t = await startApp()
  })
  after(() => t.stop())

  const refused: [string, string, string][] = [
    ['PUT', '/users', 'GET, HEAD, POST'],
    ['PATCH', '/users', 'GET, HEAD, POST'],
    ['DELETE', '/users', 'GET, HEAD, POST'],
    ['POST', '/users/0123456789abcdef01234567', 'GET, HEAD, PATCH, DELETE'],
    ['GET', '/authentication', 'POST, DELETE'],
    ['POST', '/authentication/x', 'DELETE'],
    ['POST', '/sessions', 'GET, HEAD, DELETE'],
    ['OPTIONS', '/content', 'GET, HEAD'],
    ['POST', '/openapi.json', 'GET, HEAD'],
    ['DELETE', '/.well-known/jwks.json', 'GET, HEAD']
  ]

  for (const [method, path, allow] of refused) {
    it(`is 405 to anyone, and says what is allowed: ${method} ${path}`, async () => {
      const { status, headers, body } = await restClient(t.address).ask(method, path)

      assert.equal(status, 405)
      assert.equal(body.name, 'MethodNotAllowed')
      assert.equal(headers.get('Allow'), allow)
    })
  }

  it('creates no user by a POST to the path of another', async () => {
    const body = { email: 'eve@example.com', password }

    await restClient(t.address).ask('POST', '/users/0123456789abcdef01234567', { body })

    assert.equal(await t.db.collection('users').countDocuments(), 0)
  })
})
