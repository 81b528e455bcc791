import { Forbidden, Unavailable } from '@feathersjs/errors'
import type { HookContext, NextFunction } from '@feathersjs/feathers'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { outcome } from '../support/rest.js'
import { oneApp, password, twoApps, type Design, type Side } from '../support/two-apps.js'

const isSignIn = ({ app, path, method, params }: HookContext) =>
  app.get('refuses') && path === 'authentication' && method === 'create' && params.provider

/** A hook that refuses sign-ins of clients as soon as the app says so. */
const refusing = async (context: HookContext, next?: NextFunction) => {
  await next?.()

  if (isSignIn(context)) {
    throw new Forbidden('Not verified')
  }
}

/** Wherever an app may refuse a sign-in that was right. */
const places: Record<string, Design> = {
  'an after hook of the service': {
    configure: (app) => app.service('authentication').hooks({ after: { create: [refusing] } })
  },
  'an around hook of the service': {
    configure: (app) => app.service('authentication').hooks({ around: { create: [refusing] } })
  },
  'a hook of the class, around all of the service': {
    service: (kit) =>
      class extends kit.AuthenticationService {
        constructor(app: any, key: string) {
          super(app, key)
          app.mixins.push((service: any, path: string) => {
            if (path === 'authentication') {
              service.hooks({ around: { create: [refusing] }, after: { create: [refusing] } })
            }
          })
        }
      }
  },
  'an after hook of the app': { configure: (app) => app.hooks({ after: { create: [refusing] } }) },
  'an around hook of the app': { configure: (app) => app.hooks({ around: { all: [refusing] } }) },
  'a listener of login': {
    configure: (app) =>
      app.on('login', () => {
        if (app.get('refuses')) {
          throw new Forbidden('Not verified')
        }
      })
  }
}

const idsOf = async ({ users }: Side) => ((await users.findOne())!.sessions ?? []).map(({ id }: any) => id)

describe('a sign-in that the app refuses', () => {
  for (const [place, design] of Object.entries(places)) {
    it(`leaves everything as it was: by ${place}`, async () => {
      const { stock, ours, stop } = await twoApps({ ...design, refreshToken: { maxSessions: 2 } })

      try {
        for (const side of [stock, ours]) {
          const { email } = await side.add()
          const phone = await side.login(email, { device: { id: 'phone' } })
          const laptop = await side.login(email, { device: { id: 'laptop' } })
          const sockets = [await side.socket(), await side.socket(laptop.accessToken)]
          const request = { strategy: 'local', email, password }

          side.app.set('refuses', true)

          for (const device of [{ id: 'phone' }, { id: 'tablet' }]) {
            assert.equal(outcome(await side.client.authenticate({ ...request, device })), '403')

            for (const socket of sockets) {
              const refused = socket.call('create', 'authentication', { ...request, device })

              await assert.rejects(refused, { code: 403 })
            }
          }

          side.app.set('refuses', false)

          if (side === ours) {
            assert.deepEqual(await idsOf(side), [phone.session.id, laptop.session.id])
            assert.equal(outcome(await side.client.refresh(phone.refreshToken)), '201')
            await assert.rejects(sockets[0]!.call('find', 'whoami'), { code: 401 })
            assert.equal((await sockets[0]!.call('create', 'authentication', request)).user.email, email)
          }

          assert.equal(outcome(await side.whoami(phone.accessToken)), '200')
        }
      } finally {
        await stop()
      }
    })
  }

  it('displaces sessions once it is accepted', async () => {
    const side = await oneApp({ refreshToken: { maxSessions: 2 } })

    try {
      const { email } = await side.add()
      const phone = await side.login(email, { device: { id: 'phone' } })
      const again = await side.login(email, { device: { id: 'phone' } })

      assert.deepEqual(await idsOf(side), [again.session.id])
      assert.equal(outcome(await side.client.refresh(phone.refreshToken)), '401 revoked')

      const others = [await side.login(email), await side.login(email)]

      assert.deepEqual(
        await idsOf(side),
        others.map(({ session }) => session.id)
      )
    } finally {
      await side.stop()
    }
  })

  it('displaces sessions at once where a hook replaces the params', async () => {
    const side = await oneApp({
      configure: (app) =>
        app.service('authentication').hooks({
          before: {
            create: [
              async (context: HookContext) => {
                context.params = { provider: context.params.provider! }
              }
            ]
          }
        })
    })

    try {
      const { email } = await side.add()

      await side.login(email, { device: { id: 'phone' } })
      const { refreshToken, session } = await side.login(email, { device: { id: 'phone' } })

      assert.equal(outcome(await side.client.refresh(refreshToken)), '201')
      assert.deepEqual(await idsOf(side), [session.id])
    } finally {
      await side.stop()
    }
  })

  it('has its session ended before others are displaced, if that ends meanwhile', async () => {
    const side = await oneApp({
      configure: (app) =>
        app.service('authentication').hooks({
          after: {
            create: [
              async ({ app, result }: any) => {
                if (app.get('ends')) {
                  await app
                    .service('authentication')
                    .sessions.end(String(result.user._id), result.session.id, 'revoked')
                }
              }
            ]
          }
        })
    })

    try {
      const { email } = await side.add()
      const phone = await side.login(email, { device: { id: 'phone' } })

      side.app.set('ends', true)
      await side.login(email, { device: { id: 'phone' } })
      assert.deepEqual(await idsOf(side), [phone.session.id])
    } finally {
      await side.stop()
    }
  })
})

describe('a refresh whose answer fails', () => {
  const failing = async ({ app }: HookContext) => {
    if (app.get('fails')) {
      throw new Unavailable('The directory is down')
    }
  }
  const designs: Record<string, Design> = {
    'by a hook of the users service': { hooks: { before: { get: [failing] } } },
    'by a hook of the authentication service': {
      configure: (app) => app.service('authentication').hooks({ after: { create: [failing] } })
    },
    'by a hook of the app': { configure: (app) => app.hooks({ after: { create: [failing] } }) }
  }

  for (const [name, design] of Object.entries(designs)) {
    it(`can be repeated at any time: ${name}`, async () => {
      let now = Date.now()
      const side = await oneApp({
        ...design,
        service: ({ AuthenticationService }) =>
          class extends AuthenticationService {
            constructor(app: any, key: string) {
              super(app, key, { now: () => now })
            }
          }
      })

      try {
        const { email } = await side.add()
        const { refreshToken: first } = await side.login(email)

        side.app.set('fails', true)
        assert.equal(outcome(await side.client.refresh(first)), '503')
        side.app.set('fails', false)
        now += 3600_000

        const { body: second } = await side.client.refresh(first)
        const { body: thief } = await side.client.refresh(first)

        // Two holders part ways at the next use, as ever
        assert.equal(outcome(await side.client.refresh(second.refreshToken)), '201')
        now += 3600_000
        assert.equal(outcome(await side.client.refresh(thief.refreshToken)), '401 reused')
      } finally {
        await side.stop()
      }
    })
  }

  it('is no reason to repeat a later one', async () => {
    let now = Date.now()
    const side = await oneApp({
      hooks: { before: { get: [failing] } },
      service: ({ AuthenticationService }) =>
        class extends AuthenticationService {
          constructor(app: any, key: string) {
            super(app, key, { now: () => now })
          }
        }
    })

    try {
      const { email } = await side.add()
      const { refreshToken: first } = await side.login(email)

      side.app.set('fails', true)
      assert.equal(outcome(await side.client.refresh(first)), '503')
      side.app.set('fails', false)

      const { refreshToken: second } = (await side.client.refresh(first)).body

      assert.equal(outcome(await side.client.refresh(second)), '201')
      now += 3600_000
      assert.equal(outcome(await side.client.refresh(second)), '401 reused')
    } finally {
      await side.stop()
    }
  })
})
