import { authenticate } from '@feathersjs/authentication'
import { Forbidden } from '@feathersjs/errors'
import type { HookContext } from '@feathersjs/feathers'
import { Binary } from 'mongodb'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { poll } from '../support/socket.js'
import { oneApp, outcomes, withTwoApps, type Design, type Side } from '../support/two-apps.js'

const kept = (side: Side) =>
  side.isOurs &&
  poll(() => side.app.service('authentication').live.changes.isFresh, 'users that are kept in memory')

/** The same call, some times over. */
async function timesOver<T>(count: number, call: () => Promise<T>): Promise<T[]> {
  const answers = []

  for (let time = 0; time < count; time++) {
    answers.push(await call())
  }

  return answers
}

describe('what a call changes of its user', () => {
  const ada = {
    email: 'ada@example.com',
    paidUntil: new Date('2026-01-01'),
    badge: new Binary(Buffer.from([7]))
  }
  const addWeek = (date: Date) => date.setDate(date.getDate() + 7)
  const designs: Record<string, Design> = {
    'in a hook of the users service': {
      hooks: {
        after: {
          get: [
            async ({ result }: HookContext) => {
              addWeek(result.paidUntil)
              result.badge.buffer[0]++
            }
          ]
        }
      }
    },
    'in a service behind authenticate': {
      configure: (app) => {
        app.service('whoami').hooks({
          before: {
            find: [
              async ({ params }: HookContext) => {
                addWeek(params.user.paidUntil)
                params.user.badge.buffer[0]++
              }
            ]
          }
        })
      }
    }
  }

  for (const [name, design] of Object.entries(designs)) {
    for (const refreshToken of [{}, { entityCache: true }]) {
      it(`is gone at the next one: ${name}, ${JSON.stringify(refreshToken)}`, () =>
        withTwoApps({ ...design, refreshToken }, async ({ asStock }) => {
          const seen = await asStock(async (side) => {
            await side.add(ada)
            const { accessToken } = await side.login(ada.email)

            await kept(side)
            return timesOver(4, async () => {
              const { paidUntil, badge } = (await side.whoami(accessToken)).body.user

              return [paidUntil, badge]
            })
          })

          assert.deepEqual(
            seen,
            Array.from(seen, () => ['2026-01-08T00:00:00.000Z', 'CA=='])
          )
        }))
    }
  }

  it('is gone for its session, too', async () => {
    const side = await oneApp({
      configure: (app) => {
        app.use('session', {
          async find({ session }: any) {
            const seen = structuredClone(session)

            session.expiresAt.setFullYear(2100)
            session.device.name = 'mine'
            return seen
          }
        })
        app.service('session').hooks({ around: { all: [authenticate('jwt')] } })
      }
    })

    try {
      const { email } = await side.add()
      const { accessToken: token } = await side.login(email, { device: { name: 'phone' } })

      await kept(side)
      const [first, ...others] = await timesOver(3, () => side.client.ask('GET', '/session', { token }))

      assert.equal(first!.body.device.name, 'phone')
      others.forEach(({ body }) => assert.deepEqual(body, first!.body))
    } finally {
      await side.stop()
    }
  })
})

describe('entityCache with overrides of the strategy', () => {
  const refreshToken = { entityCache: true }

  it('calls them at each call, as in Feathers', () =>
    withTwoApps(
      {
        refreshToken,
        strategies: ({ JWTStrategy }) => ({
          jwt: new (class extends JWTStrategy {
            async getEntityQuery({ headers }: any) {
              return headers?.['x-tenant'] ? { tenant: headers['x-tenant'] } : {}
            }

            async getEntity(id: any, params: any) {
              if (params.headers?.['x-blocked']) {
                throw new Forbidden('Blocked')
              }

              const user = await super.getEntity(id, params)

              user.calls = (user.calls ?? 0) + 1
              return user
            }
          })() as never
        })
      },
      async ({ onBoth }) => {
        const [stock, ours] = await onBoth(async (side) => {
          await side.add({ email: 'ada@example.com', tenant: 'a' })
          const { accessToken } = await side.login('ada@example.com')

          await kept(side)
          const plain = await timesOver(3, () => side.whoami(accessToken))

          return [
            plain.map(({ body }) => body.user.calls),
            outcomes([
              await side.whoami(accessToken, { 'x-tenant': 'a' }),
              await side.whoami(accessToken, { 'x-tenant': 'b' }),
              await side.whoami(accessToken, { 'x-blocked': 'yes' }),
              await side.client.ask('POST', '/authentication', {
                body: { strategy: 'jwt', accessToken },
                headers: { 'x-tenant': 'b' }
              }),
              await side.whoami(accessToken)
            ])
          ]
        })

        assert.deepEqual(stock, [
          [1, 1, 1],
          ['200', '404', '403', '404', '200']
        ])
        assert.deepEqual(ours, [
          [1, 1, 1],
          ['200', '401 revoked', '403', '401 revoked', '200']
        ])
      }
    ))

  it('answers each strategy what it gives itself', () =>
    withTwoApps(
      {
        refreshToken,
        settings: { authStrategies: ['jwt', 'local', 'other'], other: { header: 'x-token' } },
        strategies: ({ JWTStrategy }) => ({
          other: new (class extends JWTStrategy {
            async getEntity(id: any, params: any) {
              return { ...(await super.getEntity(id, params)), by: 'other' }
            }
          })() as never
        }),
        configure: (app) => {
          app.use('either', { find: async ({ user }: any) => ({ by: user.by ?? null }) })
          app.service('either').hooks({ around: { all: [authenticate('jwt', 'other')] } })
        }
      },
      async ({ asStock }) => {
        const by = await asStock(async (side) => {
          const { email } = await side.add()
          const { accessToken: token } = await side.login(email)
          const ask = async (options: object) => (await side.client.ask('GET', '/either', options)).body.by

          await kept(side)
          return [
            await ask({ headers: { 'x-token': token } }),
            await ask({ token }),
            await ask({ headers: { 'x-token': token } }),
            await ask({ token })
          ]
        })

        assert.deepEqual(by, ['other', null, 'other', null])
      }
    ))

  it('answers another user whom getEntity asks for', () =>
    withTwoApps(
      {
        refreshToken,
        strategies: ({ JWTStrategy }) => ({
          jwt: new (class extends JWTStrategy {
            async getEntity(id: any, params: any) {
              return super.getEntity(params.headers?.['x-as'] ?? id, params)
            }
          })() as never
        })
      },
      async ({ asStock }) => {
        const seen = await asStock(async (side) => {
          await side.add({ email: 'ada@example.com' })
          const { _id } = await side.add({ email: 'grace@example.com' })
          const { accessToken, accessToken: token } = await side.login('ada@example.com')
          const headers = { 'x-as': String(_id) }
          const body = { strategy: 'jwt', accessToken }

          await kept(side)
          const answers = [
            await side.whoami(accessToken),
            await side.whoami(accessToken, headers),
            await side.whoami(accessToken),
            await side.client.ask('POST', '/authentication', { body, headers }),
            // It is still ada's session
            await side.client.ask('DELETE', '/authentication', { token, headers })
          ]

          return answers.map((answer) => answer.body.user.email)
        })

        assert.deepEqual(
          seen,
          ['ada', 'grace', 'ada', 'grace', 'grace'].map((name) => `${name}@example.com`)
        )
      }
    ))

  it('is not used for what could not be copied', async () => {
    class Account {
      visits = 0
    }

    const side = await oneApp({
      refreshToken,
      hooks: {
        after: {
          get: [
            async ({ result }: HookContext) => {
              result.account = new Account()
            }
          ]
        }
      },
      configure: (app) => {
        app.service('whoami').hooks({
          before: { find: [async ({ params }: HookContext) => void params.user.account.visits++] }
        })
      }
    })

    try {
      const { email } = await side.add()
      const { accessToken } = await side.login(email)

      await kept(side)
      const visits = await timesOver(3, async () => (await side.whoami(accessToken)).body.user.account.visits)

      assert.deepEqual(visits, [1, 1, 1])
    } finally {
      await side.stop()
    }
  })
})
