import authenticationClient from '@feathersjs/authentication-client'
import { feathers } from '@feathersjs/feathers'
import rest from '@feathersjs/rest-client'
import socketio from '@feathersjs/socketio-client'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { io } from 'socket.io-client'
import { password, twoApps, type Side, type TwoApps } from '../../support/two-apps.js'

// What Feathers' own tests of `@feathersjs/authentication-client` say, of both apps

const authentication = (authenticationClient as any).default ?? authenticationClient
const restOf = (rest as any).default ?? rest
const socketioOf = (socketio as any).default ?? socketio

/** A storage of its own: that of the module is shared by all its clients. */
const storage = (content: Record<string, string> = {}) => ({
  content,
  async getItem(key: string) {
    return content[key]
  },
  async setItem(key: string, value: string) {
    content[key] = value
  },
  async removeItem(key: string) {
    delete content[key]
  }
})

const transports: Record<string, (side: Side) => { app: any; close(): void }> = {
  REST: ({ address }) => ({ app: feathers().configure(restOf(address).fetch(fetch)), close() {} }),
  sockets: ({ address }) => {
    const socket = io(address, { transports: ['websocket'], forceNew: true })

    return { app: feathers().configure(socketioOf(socket)), close: () => socket.close() }
  }
}

let apps: TwoApps

before(async () => {
  apps = await twoApps()
})
after(() => apps.stop())

for (const [name, transport] of Object.entries(transports)) {
  describe(`the official client: ${name}`, () => {
    /** Compares what a client sees. */
    const asStock = (see: (client: any, side: Side, email: string, kept: any) => Promise<unknown>) =>
      apps.asStock(async (side) => {
        const { app, close } = transport(side)
        const kept = storage()
        const { email } = await side.add()

        app.configure(authentication({ storage: kept }))

        try {
          return await see(app, side, email, kept.content)
        } finally {
          close()
        }
      })
    const request = (email: string) => ({ strategy: 'local', email, password })
    const failure = ({ code, name }: any) => [code, name]

    it('signs in, calls and signs out', () =>
      asStock(async (client, _side, email, kept) => {
        const events: string[] = []

        client.on('login', () => events.push('login'))
        client.on('logout', () => events.push('logout'))
        const login = await client.authenticate(request(email))
        const me = await client.service('whoami').find()
        const stored = kept['feathers-jwt'] === login.accessToken

        assert.equal(await client.authentication.getAccessToken(), login.accessToken)
        const out = await client.logout()

        return [
          login.user.email === email,
          me.user.email === email,
          stored,
          Object.keys(kept),
          typeof out.accessToken,
          events,
          await client.service('whoami').find().catch(failure)
        ]
      }))

    it('signs in again with its stored token', () =>
      asStock(async (client, side, email, kept) => {
        await client.authenticate(request(email))
        const { app, close } = transport(side)

        app.configure(authentication({ storage: storage({ ...kept }) }))

        try {
          const { user, authentication: used } = await app.reAuthenticate()

          return [
            user.email === email,
            used.strategy,
            (await app.service('whoami').find()).user.email === email
          ]
        } finally {
          close()
        }
      }))

    it('is refused, and forgets its token', () =>
      asStock(async (client, _side, email, kept) => {
        const wrong = await client.authenticate({ ...request(email), password: 'wrong' }).catch(failure)
        const none = await client.reAuthenticate().catch(failure)

        kept['feathers-jwt'] = 'x.y.z'
        const bad = await client.reAuthenticate().catch(failure)

        return [wrong, none, bad, Object.keys(kept)]
      }))

    it('signs in somebody else on the way', () =>
      asStock(async (client, side, email) => {
        const other = await side.add()

        await client.authenticate(request(email))
        await client.authenticate(request(other.email))
        return (await client.service('whoami').find()).user.email === other.email
      }))
  })
}
