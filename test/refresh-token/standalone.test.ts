import {
  AuthenticationBaseStrategy,
  AuthenticationService as FeathersAuthenticationService,
  authenticate,
  type AuthenticationRequest,
  type AuthenticationResult
} from '@feathersjs/authentication'
import { feathers } from '@feathersjs/feathers'
import { bodyParser, errorHandler, koa, rest, type Application } from '@feathersjs/koa'
import { MongoDBService } from '@feathersjs/mongodb'
import { MongoClient, type Collection } from 'mongodb'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import {
  AuthenticationService,
  ConfigurationError,
  RefreshTokenStrategy,
  SessionJwtStrategy,
  attachRefreshToken,
  endSession
} from '../../src/refresh-token/index.js'
import { databaseUrl } from '../support/app.js'
import { outcome, restClient, type RestClient } from '../support/rest.js'
import { leastSettings } from '../support/settings.js'
import { decoded } from '../support/tokens.js'

/** Whoever says a name is in. */
class NameStrategy extends AuthenticationBaseStrategy {
  async authenticate({ name }: AuthenticationRequest): Promise<AuthenticationResult> {
    return {
      authentication: { strategy: this.name },
      member: await this.app!.service('members').get(name)
    }
  }
}

/** An app that is not ours: members by their names, no passwords, Feathers' own hooks and nothing else. */
function otherApp(members: Collection): Application {
  const app: Application = koa(feathers())

  app.set('authentication', {
    ...leastSettings,
    entity: 'member',
    entityId: 'name',
    service: 'members',
    authStrategies: ['jwt', 'refresh-token', 'name'],
    'refresh-token': { ...(leastSettings['refresh-token'] as object), strategies: ['name'] }
  })
  app.use(errorHandler())
  app.use(bodyParser())
  app.configure(rest())

  const service = new AuthenticationService(app)

  service.register('jwt', new SessionJwtStrategy())
  service.register('refresh-token', new RefreshTokenStrategy())
  service.register('name', new NameStrategy())
  app.use('authentication', service)
  app.service('authentication').hooks({ after: { create: [attachRefreshToken()], remove: [endSession()] } })
  app.use('members', new MongoDBService({ Model: members, id: 'name' }))
  app.service('members').hooks({ before: { get: [authenticate('jwt')] } })

  return app
}

describe("an app of somebody else's", () => {
  let mongo: MongoClient
  let members: Collection
  let app: Application
  let client: RestClient

  before(async () => {
    mongo = new MongoClient(databaseUrl(`moult-${randomUUID()}`))
    members = mongo.db().collection('members')
    app = otherApp(members)
    const server: Server = await app.listen(0, 'localhost')
    await once(server, 'listening')
    client = restClient(`http://localhost:${(server.address() as AddressInfo).port}`)
    await members.insertOne({ name: 'ada', password: 'of another purpose' })
  })

  after(async () => {
    await app.teardown()
    await mongo.db().dropDatabase()
    await mongo.close()
  })

  it('signs in, refreshes and signs out', async () => {
    const login = await client.authenticate({ strategy: 'name', name: 'ada' })

    assert.equal(outcome(login), '201')
    assert.equal(decoded(login.body.accessToken).claims.sub, 'ada')
    assert.equal(login.body.session.strategy, 'name')

    const { status, body } = await client.refresh(login.body.refreshToken)
    const me = await client.ask('GET', '/members/ada', { token: body.accessToken })

    assert.equal(status, 201)
    assert.deepEqual(Object.keys(body.member).sort(), ['_id', 'name'])
    assert.equal(me.body.name, 'ada')

    const out = await client.ask('DELETE', '/authentication', { token: body.accessToken })

    assert.equal(outcome(out), '200')
    assert.equal(outcome(await client.refresh(body.refreshToken)), '401 revoked')
    assert.equal(outcome(await client.ask('GET', '/members/ada', { token: body.accessToken })), '401 revoked')
    assert.deepEqual((await members.findOne({ name: 'ada' }))?.sessions, [])
  })

  it('signs tokens with another secret, as it can with Feathers', async () => {
    const service = app.service('authentication') as unknown as AuthenticationService
    const token = await service.createAccessToken({ of: 'their own' }, { subject: 'ada' }, 'another secret')
    const verified = await service.verifyAccessToken(token, {}, 'another secret')

    assert.equal(verified.of, 'their own')
    assert.equal(outcome(await client.authenticate({ strategy: 'jwt', accessToken: token })), '401 invalid')
    await assert.rejects(service.verifyAccessToken(token, {}, 'a third secret'), { code: 401 })
  })

  it('signs access tokens of the configured life by itself', async () => {
    const service = app.service('authentication') as unknown as AuthenticationService
    const token = await service.createAccessToken({ sid: 'a session' }, { subject: 'ada' })
    const { iat, exp, sid } = await service.verifyAccessToken(token)

    assert.equal(exp - iat, 15 * 60)
    assert.equal(sid, 'a session')
  })
})

describe("Feathers' own authentication service", () => {
  it('is refused by the strategies, in a sentence', () => {
    const app = feathers()

    app.set('authentication', { ...leastSettings, jwtOptions: {} })

    const service = new FeathersAuthenticationService(app)

    for (const strategy of [new SessionJwtStrategy(), new RefreshTokenStrategy()]) {
      assert.throws(
        () => service.register('of-moult', strategy),
        (error: Error) => {
          assert.ok(error instanceof ConfigurationError)
          assert.match(error.message, /needs the AuthenticationService of moult: register it there$/)
          return true
        }
      )
    }
  })
})
