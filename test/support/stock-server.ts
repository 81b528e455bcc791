import { AuthenticationService, JWTStrategy } from '@feathersjs/authentication'
import { LocalStrategy } from '@feathersjs/authentication-local'
import { feathers } from '@feathersjs/feathers'
import { bodyParser, errorHandler, koa, rest } from '@feathersjs/koa'
import socketio from '@feathersjs/socketio'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

/** A server of stock Feathers, which knows no refresh tokens, with one user: `ada@example.com`, `lovelace`. */
export async function stockServer(expiresIn: string) {
  const app: any = koa(feathers())

  app.set('authentication', {
    entity: 'user',
    service: 'users',
    secret: 'not a secret',
    authStrategies: ['jwt', 'local'],
    jwtOptions: { audience: 'test', issuer: 'test', algorithm: 'HS256', expiresIn },
    local: { usernameField: 'email', passwordField: 'password' }
  })
  app.use(errorHandler())
  app.use(bodyParser())
  app.configure(rest())
  app.configure(socketio())
  app.use('users', users)
  app.use('echo', { find: async ({ user }: any) => ({ user: user?.email ?? null }) })

  const authentication = new AuthenticationService(app)

  authentication.register('jwt', new JWTStrategy())
  authentication.register('local', new PlainLocalStrategy())
  app.use('authentication', authentication)
  app.service('echo').hooks({
    before: {
      find: [
        async (context: any) => {
          const { params } = context

          if (params.authentication) {
            Object.assign(params, await authentication.authenticate(params.authentication, params, 'jwt'))
          }
        }
      ]
    }
  })

  const server = await app.listen(0)

  await (server.listening || once(server, 'listening'))
  return {
    app,
    address: `http://localhost:${(server.address() as AddressInfo).port}`,
    stop: () => app.teardown()
  }
}

const ada = { id: 1, email: 'ada@example.com' }
const users = { id: 'id', get: async () => ada, find: async () => [ada] }

class PlainLocalStrategy extends LocalStrategy {
  override async findEntity() {
    return ada
  }

  override async comparePassword(entity: unknown, password: string) {
    return password === 'lovelace' ? entity : super.comparePassword({}, password)
  }
}
