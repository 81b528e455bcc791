import authentication, { MemoryStorage } from '@feathersjs/authentication-client'
import { NotAuthenticated } from '@feathersjs/errors'
import { feathers, type Application, type Params } from '@feathersjs/feathers'
import rest from '@feathersjs/rest-client'
import socketio from '@feathersjs/socketio-client'
import assert from 'node:assert/strict'
import { io } from 'socket.io-client'

// In the types of these packages, the function is the module's `default`
const authenticationClient = authentication.default
const restTransport = rest.default
const socketTransport = socketio.default

/* eslint-disable typescript/no-explicit-any -- a test reads what it expects */
interface AnyService {
  find(params?: Params): Promise<any>
  get(id: string, params?: Params): Promise<any>
  create(data: object, params?: Params): Promise<any>
  patch(id: string | null, data: object, params?: Params): Promise<any>
  remove(id: string | null, params?: Params): Promise<any>
}
/* eslint-enable typescript/no-explicit-any */

type Services = Record<string, AnyService>

/** A client made of the official packages, and its storage of its own: by default, all of a module share one. */
export interface OfficialClient {
  client: Application<Services>
  storage: MemoryStorage
  close(): void
}

/** What the official authentication client keeps the access token under. */
export const storageKey = 'feathers-jwt'

export const transports = {
  'rest-client': restClient,
  'socketio-client': socketClient
}

export function restClient(address: string, storage = new MemoryStorage()): OfficialClient {
  const client = feathers<Services>()

  client.configure(restTransport<Services>(address).fetch(fetch))
  client.configure(authenticationClient({ storage }))

  return { client, storage, close: () => {} }
}

export function socketClient(address: string, storage = new MemoryStorage()): OfficialClient {
  const socket = io(address, { transports: ['websocket'], forceNew: true })
  const client = feathers<Services>()

  // To TypeScript, the sockets of a module and of a CommonJS package are two classes
  client.configure(socketTransport<Services>(socket as never))
  client.configure(authenticationClient({ storage }))
  // On a lost connection the official client tries to authenticate, and leaves it to the app to look how that went
  socket.on('disconnect', () => {
    client.get('authentication')?.catch(() => {})
  })

  return { client, storage, close: () => socket.disconnect() }
}

/** For `assert.rejects`: a token was refused, for this reason. */
export const refused = (reason: string) => (error: unknown) => {
  assert.ok(error instanceof NotAuthenticated, String(error))
  assert.deepEqual(error.data, { reason })
  return true
}
