import {
  AuthenticationBaseStrategy,
  AuthenticationService,
  JWTStrategy,
  type AuthenticationRequest
} from '@feathersjs/authentication'
import { LocalStrategy } from '@feathersjs/authentication-local'
import { NotAuthenticated } from '@feathersjs/errors'
import type { Params } from '@feathersjs/feathers'
import type { Application, HookContext } from './declarations.js'

const refreshLife = '30d'

/** As the generator writes it, and what people add for refresh tokens: a strategy, and a hook after each login. */
export const authentication = (app: Application) => {
  const authentication = new AuthenticationService(app)

  authentication.register('jwt', new JWTStrategy())
  authentication.register('local', new LocalStrategy())
  authentication.register('refresh-token', new RefreshTokenStrategy())

  app.use('authentication', authentication)
  app.service('authentication').hooks({
    after: {
      create: [issueRefreshToken]
    }
  })
}

/** Takes the refresh token that is stored on the user. */
class RefreshTokenStrategy extends AuthenticationBaseStrategy {
  async authenticate({ refreshToken }: AuthenticationRequest, params: Params) {
    const { refreshSecret } = this.authentication!.configuration
    const { sub } = await this.authentication!.verifyAccessToken(refreshToken, {}, refreshSecret as string)
    const { provider: _provider, ...internal } = params
    const user = await this.app!.service('users').get(sub, { ...internal, query: {} })

    if (user.refreshToken !== refreshToken) {
      throw new NotAuthenticated('Invalid refresh token')
    }

    return { authentication: { strategy: this.name! }, user }
  }
}

/** Signs a refresh token, stores it on the user, and adds it to the answer. */
async function issueRefreshToken({ app, data, result }: HookContext): Promise<void> {
  if (data.strategy === 'jwt') {
    return
  }

  const service = app.service('authentication')
  const { refreshSecret } = service.configuration
  const refreshToken = await service.createAccessToken(
    {},
    { subject: String(result.user._id), expiresIn: refreshLife },
    refreshSecret as string
  )

  await app.service('users').patch(result.user._id, { refreshToken })
  result.refreshToken = refreshToken
}
