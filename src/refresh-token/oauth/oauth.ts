import { oauth as feathersOAuth, type OauthSetupSettings } from '@feathersjs/authentication-oauth'
import type { Application } from '@feathersjs/feathers'
import { AuthenticationService } from '../authentication-service.js'
import { ConfigurationError } from '../errors.js'
import { handOver, requireProvider } from './hand-over.js'

/**
 * Takes the place of `oauth` from `@feathersjs/authentication-oauth`: its logins hand their session over to the page
 * that they return to. Does nothing where `authentication.oauth` is not configured.
 *
 * @throws ConfigurationError
 */
export const oauth =
  (settings: Partial<OauthSetupSettings> = {}) =>
  (app: Application): void => {
    const service: unknown = app.defaultAuthentication?.(settings.authService)

    if (!(service instanceof AuthenticationService)) {
      throw new ConfigurationError(
        'OAuth sign-ins need the AuthenticationService of moult: register it before they are configured'
      )
    }

    const { oauth } = service.configuration

    if (oauth) {
      requireProof(app, service.configKey)
      app.configure(feathersOAuth(settings))

      const path = providerPath(oauth)

      app.service(path).hooks({ around: { all: [requireProvider(service)] } })
      app.service(`${path}/callback`).hooks({
        around: { all: [requireProvider(service), handOver(service, pathOf(app, service, settings))] }
      })
    }
  }

/** Where browsers go to a provider, as Feathers registers it; below it they come back. */
function providerPath({ defaults = {} }: { defaults?: Record<string, unknown> }): string {
  const { prefix = 'oauth' } = defaults

  return `${String(prefix)}/:provider`
}

/**
 * Has each answer of a provider prove that it belongs to the request of this browser: RFC 9700 §2.1.1, §4.7. Grant, that
 * Feathers uses, asks for neither by itself.
 */
function requireProof(app: Application, configKey: string): void {
  const { oauth, ...configuration } = app.get(configKey)

  app.set(configKey, {
    ...configuration,
    oauth: { ...oauth, defaults: { state: true, pkce: true, ...oauth.defaults } }
  })
}

function pathOf(
  { services }: Application,
  { configKey }: AuthenticationService,
  { authService }: Partial<OauthSetupSettings>
): string {
  const registered = services as Record<string, { configKey?: string }>

  return authService ?? Object.keys(registered).find((path) => registered[path]!.configKey === configKey)!
}
