import { reportAttempts } from './attempts.js'
import type { Application } from './declarations.js'
import { limitSignIns } from './hooks/limit-attempts.js'
import { Argon2Strategy } from './local-strategy.js'
import { AccountStrategy } from './oauth-strategy.js'
import { authenticationDocs } from './openapi/authentication-docs.js'
import {
  AuthenticationService,
  RefreshTokenStrategy,
  SessionJwtStrategy,
  sessionHooks
} from './refresh-token/index.js'
import { oauth } from './refresh-token/oauth/index.js'
import { oauthProviders } from './refresh-token/options.js'

/** Which strategies there are, and which hooks: config/ says the rest. */
export const authentication = (app: Application) => {
  const service = new AuthenticationService(app, 'authentication', {
    now: app.get('now'),
    warn: (sentence) => app.get('logger').warn(sentence)
  })

  service.register('jwt', new SessionJwtStrategy())
  service.register('local', new Argon2Strategy(app.get('hasher')))
  service.register('refresh-token', new RefreshTokenStrategy())

  for (const provider of oauthProviders(service.configuration.oauth)) {
    service.register(provider, new AccountStrategy())
  }

  app.use('authentication', service, {
    methods: ['create', 'remove'],
    docs: () => authenticationDocs(service)
  })
  app.service('authentication').hooks({
    around: {
      create: [reportAttempts(), limitSignIns()]
    }
  })
  app.service('authentication').hooks(sessionHooks())
  app.configure(oauth())
}
