import authentication, { MemoryStorage } from '@feathersjs/authentication-client'
import type { AuthenticationResult } from '@feathersjs/authentication'
import { feathers, type Application, type Params } from '@feathersjs/feathers'
import rest from '@feathersjs/rest-client'
import socketio from '@feathersjs/socketio-client'
import { io } from 'socket.io-client'
import { RefreshTokenClient, type ClientOptions, type SessionKeeper } from '../../src/client/index.js'
import type { TestApp } from './app.js'
import { newPerson, type Person } from './people.js'
import { password } from './rest.js'

interface AnyService {
  find(params?: Params): Promise<any>
  get(id: string, params?: Params): Promise<any>
  create(data: object, params?: Params): Promise<any>
  patch(id: string | null, data: object, params?: Params): Promise<any>
  remove(id: string | null, params?: Params): Promise<any>
}

/** An app on the official client packages, with the plug-in. */
export interface RefreshClient {
  client: Application<Record<string, AnyService>>
  /** `client.authentication`. */
  authentication: SessionKeeper
  storage: NonNullable<ClientOptions['storage']>
  /** What the app has heard: `['login', result]`. */
  events: [string, any][]
  /** How often an event came. */
  heard(name: string): number
  close(): void
}

/** Where the plug-in keeps the session. */
export const sessionItem = 'feathers-jwt-session'

export interface Connect {
  options?: ClientOptions
  fetch?: typeof globalThis.fetch
  /** What the app does between its transport and its authentication. */
  between?: (client: RefreshClient['client']) => void
}

export const refreshTransports = {
  'rest-client': restRefreshClient,
  'socketio-client': socketRefreshClient
}

export function restRefreshClient(
  address: string,
  { options, fetch = globalThis.fetch, between }: Connect = {}
) {
  const client = feathers<Record<string, AnyService>>()

  client.configure(rest.default<Record<string, AnyService>>(address).fetch(fetch))
  between?.(client)
  return configured(client, options, () => {})
}

export function socketRefreshClient(address: string, { options, between }: Connect = {}) {
  const client = feathers<Record<string, AnyService>>()
  const socket = io(address, {
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 1,
    reconnectionDelayMax: 20
  })

  // To TypeScript, the sockets of a module and of a CommonJS package are two classes
  client.configure(socketio.default<Record<string, AnyService>>(socket as never))
  between?.(client)
  return configured(client, options, () => socket.disconnect())
}

function configured(
  client: RefreshClient['client'],
  options: ClientOptions = {},
  close: () => void
): RefreshClient {
  const { storage = new MemoryStorage() } = options
  const events: RefreshClient['events'] = []

  client.configure(authentication.default({ storage, Authentication: RefreshTokenClient, ...options }))

  for (const name of ['login', 'authenticated', 'refreshed', 'logout', 'session-ended', 'step-up']) {
    client.on(name, (data) => events.push([name, data]))
  }

  return {
    client,
    authentication: client.authentication,
    storage,
    events,
    heard: (name) => events.filter(([heard]) => heard === name).length,
    close
  }
}

/** Someone with a client that is signed in. */
export async function signedIn(
  t: TestApp,
  open: RefreshClient,
  person?: Person
): Promise<{ person: Person; login: AuthenticationResult }> {
  person ??= await newPerson(t)

  const login = await open.client.authenticate({ strategy: 'local', email: person.email, password })

  return { person, login }
}
