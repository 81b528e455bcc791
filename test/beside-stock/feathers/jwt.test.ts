import assert from 'node:assert/strict'
import { once, type EventEmitter } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { password, twoApps, type Side, type TwoApps } from '../../support/two-apps.js'

// What Feathers' own tests of its JWT strategy say, of both apps

let apps: TwoApps

before(async () => {
  apps = await twoApps()
})
after(async () => {
  // Feathers' timers would keep the process alive
  for (const [side, connection] of connections) {
    await of(side).handleConnection('disconnect', connection)
  }

  await apps.stop()
})

const connections: [Side, object][] = []

const of = ({ app }: Side) => app.service('authentication')

/** A connection, as a transport gives it to Feathers, and a login on it. */
async function connected(side: Side, params: object = {}) {
  const { email } = await side.add()
  const connection: any = { provider: 'socketio' }
  const request = { strategy: 'local', email, password }
  const login = await of(side).create(request, { provider: 'socketio', connection, ...params })

  connections.push([side, connection])

  return { connection, login, email }
}

describe('a connection', () => {
  it('is signed in by a login, with the entity and the authentication', () =>
    apps.asStock(async (side) => {
      const { connection, login, email } = await connected(side)

      assert.equal(connection.user.email, email)
      assert.deepEqual(connection.authentication, { strategy: 'jwt', accessToken: login.accessToken })
      return Object.keys(connection)
        .filter((name) => name !== 'session')
        .sort()
    }))

  it('is not signed in by a login without connection', () =>
    apps.asStock(async (side) => {
      const { connection } = await connected(side, { connection: undefined })

      return Object.keys(connection)
    }))

  it('is signed out by its own token, and by no other', () =>
    apps.asStock(async (side) => {
      const { connection, login } = await connected(side)
      const other = await connected(side)
      const signOut = ({ accessToken }: any) =>
        of(side).remove(null, {
          provider: 'socketio',
          connection,
          authentication: { strategy: 'jwt', accessToken }
        })

      await signOut(other.login)
      const kept = [typeof connection.user, typeof connection.authentication]

      await signOut(login)
      return [kept, typeof connection.user, typeof connection.authentication]
    }))

  it('is signed out when it disconnects', () =>
    apps.asStock(async (side) => {
      const { connection } = await connected(side)

      await of(side).handleConnection('disconnect', connection)
      return [typeof connection.user, typeof connection.authentication]
    }))

  it('is disconnected when its token expires', () =>
    apps.asStock(async (side) => {
      const disconnected = once(side.app as EventEmitter, 'disconnect', { signal: AbortSignal.timeout(5000) })
      const { connection } = await connected(side, { jwtOptions: { expiresIn: 1 } })
      const [gone] = await disconnected

      assert.equal(gone, connection)
      await sleep(20)
      return [typeof connection.user, typeof connection.authentication]
    }))

  it('lives as long as its newest token', () =>
    apps.asStock(async (side) => {
      const gone: unknown[] = []
      const note = (connection: unknown) => gone.push(connection)
      const { email } = await side.add()
      const connection: any = { provider: 'socketio' }
      const request = { strategy: 'local', email, password }
      // The shorter one last, so that little of its life goes by before both are used
      const long = await of(side).create(request)
      const short = await of(side).create(request, { jwtOptions: { expiresIn: 2 } })

      connections.push([side, connection])
      side.app.on('disconnect', note)
      await of(side).handleConnection('login', connection, short)
      await of(side).handleConnection('login', connection, long)
      await sleep(2500)
      side.app.off('disconnect', note)
      return gone.length
    }))
})

describe('a token', () => {
  it('is authenticated with its payload and the entity, inside and outside', () =>
    apps.asStock(async (side) => {
      const { login, email } = await connected(side)
      const { accessToken } = login
      const authenticate = (params: object) =>
        of(side).authenticate({ strategy: 'jwt', accessToken }, params, 'jwt')
      const [inside, outside] = [await authenticate({}), await authenticate({ provider: 'rest' })]

      assert.deepEqual(inside.authentication.payload, login.authentication.payload)
      assert.deepEqual([inside.user.email, outside.user.email], [email, email])
      return [inside, outside].map(({ session: _session, ...result }) => [
        Object.keys(result).sort(),
        Object.keys(result.authentication).sort()
      ])
    }))

  it('of a deleted user is refused', async () => {
    const [stock, ours] = await apps.onBoth(async (side) => {
      const { login } = await connected(side)

      await side.app.service('users').remove(login.user._id)
      return of(side)
        .authenticate({ strategy: 'jwt', accessToken: login.accessToken }, {}, 'jwt')
        .then(assert.fail, ({ code }: any) => code)
    })

    assert.deepEqual([stock, ours], [404, 401])
  })
})

describe('the settings of the strategy', () => {
  it('have the defaults of Feathers', () =>
    apps.asStock(async (side) => of(side).getStrategy('jwt').configuration))
})
