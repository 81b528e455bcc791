import { LocalStrategy, hooks, passwordHash } from '@feathersjs/authentication-local'
import type { HookContext } from '@feathersjs/feathers'
import { MongoDBService } from '@feathersjs/mongodb'
import { resolve } from '@feathersjs/schema'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { password, twoApps, withTwoApps, type Side, type TwoApps } from '../../support/two-apps.js'

// What Feathers' own tests of `@feathersjs/authentication-local` say, of both apps

const of = ({ app }: Side) => app.service('authentication')

const result = (promise: Promise<any>) =>
  promise.then(
    ({ user, authentication }) => [user.email, user.name ?? null, authentication.strategy],
    ({ code, message }) => [code, message]
  )

describe('the local strategy', () => {
  let apps: TwoApps
  const request = { strategy: 'local', email: 'ada@example.com', password }

  before(async () => {
    apps = await twoApps()
    await apps.onBoth((side) => side.add({ email: request.email, name: 'Ada' }))
  })
  after(() => apps.stop())

  it('finds, compares and answers', () =>
    apps.asStock(async (side) => [
      await result(of(side).create(request)),
      await result(of(side).create(request, { provider: 'rest' })),
      await result(of(side).create({ ...request, password: 'wrong' })),
      await result(of(side).create({ ...request, password: '' })),
      await result(of(side).create({ ...request, email: '' })),
      await result(of(side).create({ ...request, email: 'nobody@example.com' }))
    ]))

  it('refuses a user without a password', () =>
    apps.asStock(async (side) => {
      await side.users.insertOne({ email: 'grace@example.com' })

      return result(of(side).create({ ...request, email: 'grace@example.com' }))
    }))

  it('has parts that can be called separately', () =>
    apps.asStock(async (side) => {
      const local = of(side).getStrategy('local')
      const hash = await local.hashPassword(password)
      const user = await local.findEntity(request.email, {})

      return [
        (await local.comparePassword({ password: hash }, password)).password === hash,
        await local.comparePassword({ password: hash }, 'wrong').catch(({ code }: any) => code),
        await local.comparePassword({}, password).catch(({ code }: any) => code),
        user.name,
        (await local.getEntity(user, {})) === user,
        (await local.getEntity(user, { provider: 'rest' })).name,
        await local.getEntity({}, {}).catch(({ message }: any) => message),
        await local.findEntity('', {}).catch(({ code }: any) => code)
      ]
    }))
})

describe('a local strategy of another shape', () => {
  it('reads pages, its own fields and its own query', () =>
    withTwoApps(
      {
        users: (Model) => new MongoDBService({ Model, paginate: { default: 5, max: 10 } }),
        settings: {
          local: {
            usernameField: 'login',
            passwordField: 'secret',
            entityUsernameField: 'email',
            entityPasswordField: 'password',
            errorMessage: 'No'
          }
        },
        strategies: () => ({
          local: new (class extends LocalStrategy {
            override async getEntityQuery(query: any) {
              return { ...query, active: true, $limit: 1 }
            }
          })()
        })
      },
      async ({ asStock }) => {
        await asStock(async (side) => {
          await side.add({ email: 'ada@example.com', active: true })
          await side.add({ email: 'eve@example.com', active: false })
          const ask = (login: string, secret: string) =>
            result(of(side).create({ strategy: 'local', login, secret }))

          return [
            await ask('ada@example.com', password),
            await ask('ada@example.com', 'wrong'),
            await ask('eve@example.com', password)
          ]
        })
      }
    ))
})

describe('the hooks and the resolver of passwords', () => {
  it('hash one, several and nested ones, and hide them', () =>
    withTwoApps(
      {
        configure: (app) => {
          const hash = passwordHash({ strategy: 'local' })

          app.use('things', { create: async (data: any) => data })
          app.service('things').hooks({
            before: { create: [hooks.hashPassword('a.b'), hooks.hashPassword('c')] },
            after: { create: [hooks.protect('c')] }
          })
          app.use('others', { create: async (data: any) => data })
          app.service('others').hooks({
            before: {
              create: [
                async (context: HookContext) => {
                  context.data = await resolve<any, HookContext>({ secret: hash }).resolve(
                    context.data,
                    context
                  )
                }
              ]
            }
          })
        }
      },
      async ({ asStock }) => {
        await asStock(async ({ app }) => {
          const isHash = (value: unknown) => /^\$2[aby]\$/.test(String(value))
          const one = await app.service('things').create({ a: { b: 'x' }, c: 'y' })
          const many = await app.service('things').create([{ c: 'y' }, { d: 1 }])
          const outside = await app.service('things').create({ c: 'y' }, { provider: 'rest' })
          const other = await app.service('others').create({ secret: 'x' })

          assert.ok(isHash(one.a.b))
          return [
            isHash(one.c),
            many.map(({ c }: any) => isHash(c)),
            Object.keys(outside),
            isHash(other.secret)
          ]
        })
      }
    ))
})
