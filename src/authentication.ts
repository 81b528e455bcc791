import { EmailCodeStrategy } from './accounts/internal.js'
import { PasskeyStrategy } from './passkeys/internal.js'
import { RecoveryCodeStrategy, TotpStrategy } from './factors/index.js'
import { reportAttempts } from './services/authentication/attempts.js'
import type { Application, HookContext } from './declarations.js'
import { askForNewPassword } from './services/authentication/ask-for-new-password.js'
import { limitSignIns } from './services/authentication/limit-sign-ins.js'
import { KnownClients } from './services/authentication/known-clients.js'
import { limitFactors } from './services/authentication/limit-factors.js'
import { clientOf } from './http/client-of.js'
import { takeTurn } from './hooks/take-turn.js'
import { requireVerified } from './services/authentication/require-verified.js'
import { Argon2Strategy } from './services/authentication/local-strategy.js'
import { AccountStrategy } from './services/authentication/oauth-strategy.js'
import { authenticationDocs } from './services/authentication/authentication.docs.js'
import {
  AuthenticationService,
  RefreshTokenStrategy,
  SessionJwtStrategy,
  sessionHooks
} from './refresh-token/index.js'
import { oauthProviders } from './refresh-token/internal.js'
import { oauth } from './refresh-token/oauth/index.js'

/** Registers the strategies and hooks; everything else is configuration. */
export const authentication = (app: Application) => {
  const service = new AuthenticationService(app, 'authentication', {
    now: app.get('now'),
    warn: (sentence) => app.get('logger').warn(sentence)
  })

  app.set('knownClients', new KnownClients(app))
  service.register('jwt', new SessionJwtStrategy())
  service.register('local', new Argon2Strategy(app.get('hasher')))
  service.register('refresh-token', new RefreshTokenStrategy())

  if (service.configuration.authStrategies.includes('email-code')) {
    service.register(
      'email-code',
      new EmailCodeStrategy(() => app.get('accountsByMail')!.signInCodes, clientOf)
    )
  }

  if (service.configuration.authStrategies.includes('passkey')) {
    service.register(
      'passkey',
      new PasskeyStrategy(
        () => app.get('passkeys')!,
        (user) => requireVerified(app, user)
      )
    )
  }
  if (service.configuration.authStrategies.includes('totp')) {
    service.register('totp', new TotpStrategy(() => app.get('factors')!, limitFactors(app)))
  }
  if (service.configuration.authStrategies.includes('recovery-code')) {
    service.register('recovery-code', new RecoveryCodeStrategy(() => app.get('factors')!, limitFactors(app)))
  }

  for (const provider of oauthProviders(service.configuration.oauth)) {
    service.register(provider, new AccountStrategy())
  }

  app.use('authentication', service, {
    methods: ['create', 'remove'],
    docs: () => authenticationDocs(service)
  })
  app.service('authentication').hooks({
    around: {
      create: [reportAttempts(), takeTurn(isLocal), limitSignIns()]
    }
  })
  app.service('authentication').hooks(sessionHooks())
  app.service('authentication').hooks({ after: { create: [askForNewPassword()] } })
  app.configure(oauth())
}

const isLocal = ({ data }: HookContext): boolean => data?.strategy === 'local'

declare module './declarations.js' {
  interface ServiceTypes {
    authentication: AuthenticationService
  }
}
