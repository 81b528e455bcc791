// An app on the client as it runs in another runtime: signs in, renews, calls with a token that ran out, starts again with
// what it stored, signs out. Prints what happened.
import authentication, { MemoryStorage } from '@feathersjs/authentication-client'
import { feathers } from '@feathersjs/feathers'
import rest from '@feathersjs/rest-client'
import socketio from '@feathersjs/socketio-client'
import { io } from 'socket.io-client'
import { RefreshTokenClient } from '../../src/client/index.js'

const [transport, address, email, password] = process.argv.slice(2) as [string, string, string, string]
const storage = new MemoryStorage()
const events: string[] = []
let ahead = 0 // ms

function start() {
  const app = feathers<Record<string, any>>()
  const socket =
    transport === 'socket' ? io(address, { transports: ['websocket'], reconnection: false }) : undefined

  app.configure((socket ? socketio.default(socket as never) : rest.default(address).fetch(fetch)) as never)
  app.configure(
    authentication.default({
      Authentication: RefreshTokenClient,
      storage,
      clock: { now: () => Date.now() + ahead }
    })
  )

  for (const name of ['login', 'refreshed', 'logout', 'session-ended', 'storage-failed']) {
    app.on(name, () => events.push(name))
  }

  return { app, close: () => socket?.close() }
}

const first = start()

await first.app.authenticate({ strategy: 'local', email, password })
await Promise.all([first.app.authentication.renew(), first.app.authentication.renew()])
ahead += 20 * 60_000

const sessions = await first.app.service('sessions').find()

first.close()

const second = start()
const { user } = await second.app.reAuthenticate()

await second.app.logout()
second.close()

const refusal = await second.app.reAuthenticate().catch((error: Error) => error.name)

console.log(JSON.stringify({ sessions: sessions.length, email: user.email, events, refusal }))
process.exit()
