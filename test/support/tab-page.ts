// What runs in a page of the tests: an app with the plug-in, and what the test asks of it.
import authentication, { MemoryStorage } from '@feathersjs/authentication-client'
import { feathers } from '@feathersjs/feathers'
import rest from '@feathersjs/rest-client'
import socketio from '@feathersjs/socketio-client'
import { io } from 'socket.io-client'
import { RefreshTokenClient, type ClientOptions } from '../../src/client/index.js'

const page: any = ((globalThis as any).inPage = { window: globalThis })
const events: [string, unknown][] = []
let ahead = 0 // ms

/** Makes the app. */
page.start = ({
  socket = false,
  memory = false,
  ...options
}: ClientOptions & { socket?: boolean; memory?: boolean }) => {
  const app = feathers()

  if (socket) {
    page.socket = io({ transports: ['websocket'] })
    app.configure(socketio.default(page.socket))
  } else {
    app.configure(rest.default('').fetch(fetch.bind(globalThis)))
  }

  app.configure(
    authentication.default({
      Authentication: RefreshTokenClient,
      clock: { now: () => Date.now() + ahead },
      ...(memory && { storage: new MemoryStorage() }),
      ...options
    })
  )

  for (const name of ['login', 'refreshed', 'logout', 'session-ended']) {
    app.on(name, (data) => events.push([name, data]))
  }

  page.app = app
  page.events = events
}

/** Moves the clock, and makes a call: how many sessions there are, or the error. */
page.expire = async (ms: number) => {
  ahead += ms
  return page.call()
}

page.call = async () => {
  try {
    return (await page.app.service('sessions').find()).length
  } catch (error) {
    return String(error)
  }
}

page.move = (ms: number) => {
  ahead += ms
}

// What comes back has to be something that can be sent to the test
page.signIn = async (email: string, password: string) => {
  await page.app.authenticate({ strategy: 'local', email, password })
}

page.signOut = async () => {
  await page.app.logout()
}

page.resume = async () => {
  await page.app.reAuthenticate()
}
