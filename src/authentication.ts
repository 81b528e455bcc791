import type { Application } from './declarations.js'
import { Argon2Strategy } from './local-strategy.js'
import {
  AuthenticationService,
  RefreshTokenStrategy,
  SessionJwtStrategy,
  attachRefreshToken,
  endSession
} from './refresh-token/index.js'

/** Which strategies there are, and which hooks: config/ says the rest. */
export const authentication = (app: Application) => {
  const service = new AuthenticationService(app, 'authentication', { now: app.get('now') })

  service.register('jwt', new SessionJwtStrategy())
  service.register('local', new Argon2Strategy(app.get('hasher')))
  service.register('refresh-token', new RefreshTokenStrategy())

  app.use('authentication', service, { methods: ['create', 'remove'] })
  app.service('authentication').hooks({
    after: {
      create: [attachRefreshToken()],
      remove: [endSession()]
    }
  })
}
