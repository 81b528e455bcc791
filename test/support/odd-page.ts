// A page as some browsers have it: run in a process of its own, with what a test says in place of what browsers have.
import authentication, { MemoryStorage } from '@feathersjs/authentication-client'
import { feathers } from '@feathersjs/feathers'
import rest from '@feathersjs/rest-client'

const [address, email, password, prepare] = process.argv.slice(2) as [string, string, string, string]

// Before the client is loaded
// eslint-disable-next-line typescript/no-implied-eval, no-new-func -- a script of the test
new Function(prepare)()

const { RefreshTokenClient } = await import('../../src/client/index.js')
const app = feathers<Record<string, any>>()
let ahead = 0 // ms
const events: string[] = []

app.configure(rest.default(address).fetch(fetch) as never)
app.configure(
  authentication.default({
    Authentication: RefreshTokenClient,
    storage: new MemoryStorage(),
    clock: { now: () => Date.now() + ahead }
  })
)

for (const name of ['login', 'refreshed', 'logout', 'session-ended', 'storage-failed']) {
  app.on(name, () => events.push(name))
}

let thrown = 0

console.error = () => thrown++ // an unhandled rejection would end the process

for (const name of (globalThis as { throwing?: string[] }).throwing ?? []) {
  app.on(name, () => {
    throw new Error(`The app fails in ${name}`)
  })
}

await app.authenticate({ strategy: 'local', email, password })
await app.authentication.renew()
ahead += 20 * 60_000

const sessions = await app.service('sessions').find()

await app.logout()
await new Promise((resolve) => setTimeout(resolve, 50))
console.log(JSON.stringify({ sessions: sessions.length, events, thrown }))
process.exit()
