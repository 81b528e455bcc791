import { OAuthStrategy as StockOAuthStrategy, oauth as stockOauth } from '@feathersjs/authentication-oauth'
import { NotAuthenticated } from '@feathersjs/errors'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { OAuthStrategy, oauth } from '../../src/refresh-token/oauth/index.js'
import { startOAuthProvider, type OAuthProvider } from '../support/oauth-provider.js'
import { freePort } from '../support/process.js'
import { decoded } from '../support/tokens.js'
import { twoApps, type Design, type Side, type TwoApps } from '../support/two-apps.js'
import { fragmentOf, locationOf, visitor } from '../support/visitor.js'

/* eslint-disable typescript/no-explicit-any -- an app of somebody else's, which may be in JavaScript */

const page = 'https://app.example.com'

describe('sign-ins by OAuth', () => {
  let provider: OAuthProvider
  let apps: TwoApps
  const calls: object[] = []

  /** A strategy as apps write it: it adds fields of the profile, and links by email. */
  const strategyOn = (Base: any) =>
    class extends Base {
      async getEntityData(profile: any, existing: any, params: any) {
        return {
          ...(await super.getEntityData(profile, existing, params)),
          ...(!existing && { email: profile.email }),
          picture: profile.picture
        }
      }

      async findEntity(profile: any, params: any) {
        return (
          (await super.findEntity(profile, params)) ??
          (profile.email_verified
            ? await this.entityService._find({ query: { email: profile.email } }).then(first)
            : null)
        )
      }
    }
  const first = ({ data, 0: found }: any) => (data ? data[0] : found) ?? null

  const design = (ports: { stock: number; ours: number }): Design => ({
    settings: {
      oauth: { redirect: page, example: provider.settings }
    },
    refreshToken: { strategies: ['local', 'example'] },
    strategies: ({ isOurs }) => {
      const Strategy: any = strategyOn(isOurs ? OAuthStrategy : StockOAuthStrategy)

      return { example: new Strategy() }
    },
    hooks: {
      before: {
        all: [
          async ({ method, params: { provider, authentication, query } }: any) =>
            void calls.push({ method, provider, strategy: authentication?.strategy, query })
        ]
      }
    },
    configure: (app, { isOurs }) => {
      const settings = app.get('authentication')
      const { oauth: configured } = settings
      const origin = `http://localhost:${isOurs ? ports.ours : ports.stock}`

      app.set('authentication', {
        ...settings,
        oauth: { ...configured, defaults: { origin, pkce: true, state: true } }
      })
      app.configure(isOurs ? oauth() : stockOauth())
    },
    port: ({ isOurs }) => (isOurs ? ports.ours : ports.stock)
  })

  before(async () => {
    provider = await startOAuthProvider()
    apps = await twoApps(design({ stock: await freePort(), ours: await freePort() }))
  })
  after(async () => {
    await apps.stop()
    await provider.stop()
  })

  const signIn = async (side: Side, profile: object, query = '') => {
    provider.profile = { ...profile }

    const response = await visitor().follow(`${side.address}/oauth/example${query}`)

    assert.equal(response.status, 303)

    const { origin, pathname, search } = locationOf(response)
    const { access_token, refresh_token: _refreshToken, ...fragment } = fragmentOf(response)

    return { to: origin + pathname + search, accessToken: access_token, ...fragment }
  }
  /** Without the id, which differs, and the password's hash, which only stock Feathers shows. */
  const userOf = async (side: Side, accessToken = '') => {
    const { status, body } = await side.whoami(accessToken)
    const { _id, password: _password, ...user } = body.user ?? {}

    return { status, hasId: _id !== undefined, user, sub: String(decoded(accessToken).claims.sub === _id) }
  }

  it('make a user with what the strategy says, and find it again', () =>
    apps.asStock(async (side) => {
      const profile = { id: 'ada-1', email: 'ada@example.com', picture: 'one.png' }
      const { accessToken, ...location } = await signIn(side, profile)
      const made = await userOf(side, accessToken)
      const again = await signIn(side, { ...profile, email: 'other@example.com', picture: 'two.png' })
      const found = await userOf(side, again.accessToken)

      assert.equal(made.status, 200)
      assert.equal(decoded(again.accessToken!).claims.sub, decoded(accessToken!).claims.sub)
      return { location, made, found, count: await side.users.countDocuments({ exampleId: 'ada-1' }) }
    }))

  it('find a user by an override of findEntity', () =>
    apps.asStock(async (side) => {
      const { _id, email } = await side.add({ email: 'bert@example.com' })
      const { accessToken } = await signIn(side, { id: 'bert-1', email, email_verified: true })

      assert.equal(decoded(accessToken!).claims.sub, String(_id))
      return {
        found: await userOf(side, accessToken),
        stored: (await side.users.findOne({ _id }))!.exampleId
      }
    }))

  it('link the account of who is signed in', () =>
    apps.asStock(async (side) => {
      const { _id, email } = await side.add({ email: 'cleo@example.com' })
      const login = await side.login(email)
      const { accessToken } = await signIn(
        side,
        { id: 'cleo-1', email: 'else@example.com' },
        `?feathers_token=${login.accessToken}`
      )

      assert.equal(decoded(accessToken!).claims.sub, String(_id))
      return {
        found: await userOf(side, accessToken),
        count: await side.users.countDocuments({ exampleId: 'cleo-1' })
      }
    }))

  it('return to the path that was asked for, and nowhere else', () =>
    apps.asStock(async (side) => {
      const profile = { id: 'dora-1', email: 'dora@example.com' }
      const inside = await signIn(side, profile, '?redirect=/dashboard')
      const outside = await Promise.all(
        ['@evil.example', '.evil.example'].map(async (path) => {
          provider.profile = profile

          const response = await visitor().follow(`${side.address}/oauth/example?redirect=${path}`)

          return { status: response.status, location: response.headers.get('location') }
        })
      )

      return { inside: inside.to, outside }
    }))

  it('tell the page why they failed', () =>
    apps.asStock(async (side) => {
      side.app.service('users').hooks({
        before: {
          create: [
            async ({ data }: any) => {
              if (data.email === 'banned@example.com') {
                throw new NotAuthenticated('Not on the list')
              }
            }
          ]
        }
      })

      return signIn(side, { id: randomUUID(), email: 'banned@example.com' })
    }))

  it('call the entity service as the app does, without a provider', () =>
    apps.asStock(async (side) => {
      calls.length = 0
      await signIn(side, { id: 'emil-1', email: 'emil@example.com' })
      return calls.splice(0)
    }))

  it('run the hooks of the authentication service', () =>
    apps.asStock(async (side) => {
      let heard: unknown

      side.app.service('authentication').hooks({
        after: {
          create: [
            async ({ data, params, result }: any) => {
              heard = {
                strategy: data.strategy,
                hasProfile: data.profile.id,
                authStrategies: params.authStrategies,
                provider: params.provider ?? null,
                authenticated: result.authentication.strategy,
                picture: result.user.picture
              }
            }
          ]
        }
      })
      await signIn(side, { id: 'fred-1', email: 'fred@example.com', picture: 'fred.png' })
      return heard
    }))

  it('ask no profile of a client that makes one up', () =>
    apps.asStock(async (side) => {
      const { status } = await side.client.authenticate({
        strategy: 'example',
        profile: { id: 'ada-1', email: 'ada@example.com' }
      })

      return status
    }))
})
