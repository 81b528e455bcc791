// An app on the client as a bundler makes it for React Native: signs in, renews, calls with a token that ran out, starts
// again with what it stored, signs out. Tells the test what happened through a global.
import authentication from '@feathersjs/authentication-client'
import { feathers } from '@feathersjs/feathers'
import rest from '@feathersjs/rest-client'
import socketio from '@feathersjs/socketio-client'
import { io } from 'socket.io-client'
import { RefreshTokenClient } from '../../src/client/index.js'

/** What the test adds to the globals of React Native. */
const phone = globalThis as unknown as {
  task: { transport: string; address: string; email: string; password: string }
  AsyncStorage: object
  done(result: unknown): void
}
const { transport, address, email, password } = phone.task
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
      storage: phone.AsyncStorage as never,
      clock: { now: () => Date.now() + ahead }
    })
  )

  for (const name of ['login', 'refreshed', 'logout', 'session-ended', 'storage-failed']) {
    app.on(name, () => events.push(name))
  }

  return { app, close: () => socket?.close() }
}

async function run() {
  const first = start()

  await first.app.authenticate({ strategy: 'local', email, password })
  await first.app.authentication.renew()
  ahead += 20 * 60_000

  const sessions = await first.app.service('sessions').find()

  first.app.authentication.wake()
  first.close()

  const second = start()
  const { user } = await second.app.reAuthenticate()

  await second.app.logout()
  second.close()

  const refusal = await second.app.reAuthenticate().catch((error: Error) => error.name)

  return { sessions: sessions.length, email: user.email, events, refusal }
}

run().then(phone.done, (error) => phone.done(String(error.stack)))
