import {
  AuthenticationBaseStrategy,
  AuthenticationService,
  JWTStrategy,
  authenticate,
  type AuthenticationRequest,
  type AuthenticationResult
} from '@feathersjs/authentication'
import { NotAuthenticated } from '@feathersjs/errors'
import { feathers } from '@feathersjs/feathers'
import { bodyParser, errorHandler, koa, parseAuthentication, rest } from '@feathersjs/koa'
import socketio from '@feathersjs/socketio'
import { MongoClient } from 'mongodb'
import type { AddressInfo } from 'node:net'
import { makeWork } from './work.js'

// The unavoidable under Feathers: the work of the bare program, reached by Feathers' middleware, its authentication
// service and the hook `authenticate`. No schema, no resolver, no limit and no other hook.

const client = await MongoClient.connect(process.env.MONGODB_URL!)
const work = await makeWork(client.db())
const app = koa(feathers())

/** An access token is verified, and no user is read. */
class AccessTokenStrategy extends JWTStrategy {
  override async authenticate({ accessToken }: AuthenticationRequest) {
    const payload = work.verify(accessToken as string)

    return { accessToken, authentication: { strategy: this.name!, accessToken, payload } }
  }
}

/** Answers what the bare program does. */
class BareStrategy<T> extends AuthenticationBaseStrategy {
  readonly #work: (data: T) => Promise<object | undefined>

  constructor(work: (data: T) => Promise<object | undefined>) {
    super()
    this.#work = work
  }

  async authenticate(data: AuthenticationRequest): Promise<AuthenticationResult> {
    const answer = await this.#work(data as T)

    if (!answer) {
      throw new NotAuthenticated('Invalid login')
    }

    return { ...answer, authentication: { strategy: this.name! } }
  }
}

app.set('authentication', {
  entity: null,
  secret: process.env.ACCESS_TOKEN_SECRET!,
  authStrategies: ['jwt', 'local', 'refresh-token'],
  parseStrategies: ['jwt']
})
app.use(errorHandler())
app.use(parseAuthentication())
app.use(bodyParser())
app.configure(rest())
app.configure(socketio())

const authentication = new AuthenticationService(app)

authentication.register('jwt', new AccessTokenStrategy())
authentication.register('local', new BareStrategy(work.login))
authentication.register('refresh-token', new BareStrategy(work.refresh))

app.use('authentication', authentication)
app.use('content', { get: async (_id: string) => work.board })
app.use('users', { get: (id: string) => work.user(id) })
app.use('health', { find: async () => ({ status: 'ok' }) })
app.service('content').hooks({ around: { all: [authenticate('jwt')] } })
app.service('users').hooks({ around: { all: [authenticate('jwt')] } })

const server = await app.listen(0, '127.0.0.1')

server.on('listening', () =>
  console.log(`Listens on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
)
process.on('SIGTERM', () => process.exit())
