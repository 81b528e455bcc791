import {
  AuthenticationService as StockAuthenticationService,
  JWTStrategy,
  authenticate,
  type AuthenticationStrategy
} from '@feathersjs/authentication'
import { LocalStrategy, hooks as localHooks } from '@feathersjs/authentication-local'
import { feathers, type HookContext } from '@feathersjs/feathers'
import { bodyParser, errorHandler, koa, rest } from '@feathersjs/koa'
import { MongoDBService } from '@feathersjs/mongodb'
import { resolve, resolveExternal } from '@feathersjs/schema'
import socketio from '@feathersjs/socketio'
import { MongoClient, type Collection, type Db, type Document } from 'mongodb'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  AuthenticationService,
  RefreshTokenStrategy,
  SessionJwtStrategy,
  sessionHooks
} from '../../src/refresh-token/index.js'
import { merge, type Settings } from './app.js'
import { outcome, restClient, type Answer, type RestClient } from './rest.js'
import { connect, type TestSocket } from './socket.js'

/* eslint-disable typescript/no-explicit-any -- an app of somebody else's, which may be in JavaScript */

/** What an app is made of: Feathers' own classes, or ours in their place. */
export interface Kit {
  isOurs: boolean
  AuthenticationService: any
  JWTStrategy: any
  /** Registers an authentication service with its strategies, under the key of its configuration. */
  authentication(app: any, configKey: string, design?: Design): void
}

/** An app, to be made twice. */
export interface Design {
  /** Settings of `authentication` beyond the usual ones. */
  settings?: Settings
  /** Settings of `authentication.refresh-token`, which only ours has. */
  refreshToken?: Settings
  /** The entity service; a plain MongoDBService if left out. */
  users?: (collection: Collection, app: any) => object
  /** Hooks of the entity service beyond those that hash and hide the password. */
  hooks?: object
  /** Strategies beyond `jwt` and `local`, or in their place, by name. */
  strategies?: (kit: Kit) => Record<string, AuthenticationStrategy>
  /** The class of the authentication service. */
  service?: (kit: Kit) => any
  /** Where it listens; anywhere if left out. */
  port?: (kit: Kit) => number
  /** Called before the app listens. */
  configure?: (app: any, kit: Kit) => void
  /** Its resolvers hide no password. */
  isBare?: boolean
  /** Serves without `app.setup()`, as a serverless function does. */
  isWithoutSetup?: boolean
}

/** One of the two apps, running. */
export interface Side {
  isOurs: boolean
  app: any
  address: string
  client: RestClient
  db: Db
  users: Collection
  /** Stores a user with a password. */
  add(user?: Document): Promise<any>
  /** Signs in by `local`: the body of the answer. */
  login(email: string, more?: object): Promise<any>
  /** Who the app takes the bearer for: `params.user` of a service behind `authenticate('jwt')`. */
  whoami(token: string, headers?: Record<string, string>): Promise<Answer>
  /** A socket, signed in with an access token if there is one. */
  socket(accessToken?: string): Promise<TestSocket>
}

export const password = 'correct horse battery'

const kitOf = (classes: Pick<Kit, 'isOurs' | 'AuthenticationService' | 'JWTStrategy'>): Kit => {
  const kit: Kit = {
    ...classes,
    authentication(app, configKey, { service, strategies = () => ({}) } = {}) {
      const Service = service?.(kit) ?? kit.AuthenticationService
      const authentication = new Service(app, configKey)
      const all = { jwt: new kit.JWTStrategy(), local: new LocalStrategy(), ...strategies(kit) }

      for (const [name, strategy] of Object.entries(all)) {
        authentication.register(name, strategy)
      }
      if (kit.isOurs) {
        authentication.register('refresh-token', new RefreshTokenStrategy())
      }

      app.use(configKey, authentication)

      if (kit.isOurs) {
        app.service(configKey).hooks(sessionHooks())
      }
    }
  }

  return kit
}

const stockKit = kitOf({ isOurs: false, AuthenticationService: StockAuthenticationService, JWTStrategy })
const ourKit = kitOf({ isOurs: true, AuthenticationService, JWTStrategy: SessionJwtStrategy })

/** Makes an app twice, on a database each: with Feathers' own classes, and with ours in their place. */
export async function twoApps(design: Design = {}) {
  const client = new MongoClient(process.env.MONGODB_URL!)
  const sides = [await startSide(design, stockKit, client), await startSide(design, ourKit, client)] as const
  const [stock, ours] = sides

  return {
    stock,
    ours,
    /** Does the same on both, stock first. */
    onBoth: async <T>(work: (side: Side) => Promise<T>): Promise<[stock: T, ours: T]> => [
      await work(stock),
      await work(ours)
    ],
    asStock: async (work: (side: Side) => Promise<unknown>): Promise<any> => {
      const expected = await work(stock)

      assert.deepEqual(await work(ours), expected)
      return expected
    },
    async stop() {
      for (const side of sides) {
        await side.stop()
      }

      await client.close()
    }
  }
}

export type TwoApps = Awaited<ReturnType<typeof twoApps>>

/** Makes an app of ours alone, for what stock Feathers doesn't have. */
export async function oneApp(design: Design = {}) {
  const client = new MongoClient(process.env.MONGODB_URL!)
  const side = await startSide(design, ourKit, client)

  return {
    ...side,
    async stop() {
      await side.stop()
      await client.close()
    }
  }
}

/** Runs a test on two apps made for it. */
export async function withTwoApps(design: Design, work: (apps: TwoApps) => Promise<void>): Promise<void> {
  const apps = await twoApps(design)

  try {
    await work(apps)
  } finally {
    await apps.stop()
  }
}

async function startSide(design: Design, kit: Kit, mongo: MongoClient) {
  const name = `moult-${randomUUID()}`
  const db = mongo.db(name)
  const users = db.collection('users')
  const app = makeApp(design, kit, users)
  const server: Server = design.isWithoutSetup
    ? createServer(app.callback()).listen(0)
    : await app.listen(design.port?.(kit) ?? 0)

  await (server.listening || once(server, 'listening'))

  const address = `http://localhost:${(server.address() as AddressInfo).port}`
  const client = restClient(address)
  const sockets: TestSocket[] = []
  const side: Side = {
    isOurs: kit.isOurs,
    app,
    address,
    client,
    db,
    users,
    add: (user = {}) =>
      app.service('users').create({ email: `${randomUUID()}@example.com`, password, ...user }),
    login: async (email, more = {}) =>
      (await client.authenticate({ strategy: 'local', email, password, ...more })).body,
    whoami: (token, headers = {}) =>
      client.ask('GET', '/whoami', { headers: { Authorization: `Bearer ${token}`, ...headers } }),
    async socket(accessToken) {
      const socket = await connect(address)

      sockets.push(socket)

      if (accessToken !== undefined) {
        await socket.call('create', 'authentication', { strategy: 'jwt', accessToken })
      }

      return socket
    }
  }

  return {
    ...side,
    async stop() {
      sockets.forEach((socket) => socket.close())
      await (design.isWithoutSetup ? new Promise((resolve) => server.close(resolve)) : app.teardown())
      await db.dropDatabase()
    }
  }
}

/** The settings of both; stock Feathers ignores those of `refresh-token`. */
const settingsOf = ({ settings = {}, refreshToken = {} }: Design, { isOurs }: Kit): Settings =>
  merge(
    {
      entity: 'user',
      service: 'users',
      secret: 'a secret of thirty-two bytes or more',
      authStrategies: ['jwt', 'local', ...(isOurs ? ['refresh-token'] : [])],
      jwtOptions: { issuer: 'them', audience: 'them', algorithm: 'HS256', expiresIn: '15m' },
      local: { usernameField: 'email', passwordField: 'password', hashSize: 4 },
      ...(isOurs && { 'refresh-token': { secret: 'another secret of thirty-two bytes', ...refreshToken } })
    },
    isOurs && Array.isArray(settings.authStrategies)
      ? { ...settings, authStrategies: [...settings.authStrategies, 'refresh-token'] }
      : settings
  )

/** The app before it listens. */
function makeApp(design: Design, kit: Kit, collection: Collection): any {
  const app: any = koa(feathers())

  app.set('authentication', settingsOf(design, kit))
  app.use(errorHandler())
  app.use(bodyParser())
  app.configure(rest())

  if (!design.isWithoutSetup) {
    app.configure(socketio())
  }

  kit.authentication(app, 'authentication', design)

  const { hooks = {} } = design

  app.use('users', design.users?.(collection, app) ?? new MongoDBService({ Model: collection, multi: true }))

  if (!design.isBare) {
    app.service('users').hooks({
      around: { all: [resolveExternal(resolve<any, HookContext>({ password: async () => undefined }))] }
    })
  }

  app.service('users').hooks({
    before: {
      create: [localHooks.hashPassword('password')],
      patch: [localHooks.hashPassword('password')],
      update: [localHooks.hashPassword('password')]
    }
  })
  app.service('users').hooks(hooks)
  app.use('whoami', { find: async ({ user }: any) => ({ user }) })
  app.service('whoami').hooks({ around: { all: [authenticate('jwt')] } })
  design.configure?.(app, kit)
  app.publish?.(() => [])

  return app
}

/** The outcomes of answers. */
export const outcomes = (answers: Answer[]): string[] => answers.map(outcome)
