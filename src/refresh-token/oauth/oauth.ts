import type * as FeathersOAuth from '@feathersjs/authentication-oauth'
import type { OauthSetupSettings } from '@feathersjs/authentication-oauth'
import type { Application } from '@feathersjs/feathers'
import { createRequire } from 'node:module'
import { requireMoult, type AuthenticationService } from '../authentication-service.js'
import { handOver, requireProvider } from './hand-over.js'

const require = createRequire(import.meta.url)

/** With Express and Grant, it takes a tenth of a second and 8 MiB to load: only where OAuth is configured. */
const feathersOAuth = () => (require('@feathersjs/authentication-oauth') as typeof FeathersOAuth).oauth

/**
 * Configures OAuth, in place of `oauth` from `@feathersjs/authentication-oauth`: its logins hand their session over to
 * the page that they return to. Does nothing unless `authentication.oauth` is configured.
 *
 * @throws ConfigurationError
 */
export const oauth =
  (settings: Partial<OauthSetupSettings> = {}) =>
  (app: Application): void => {
    const service: unknown = app.defaultAuthentication?.(settings.authService)

    requireMoult(service, 'OAuth sign-ins need', 'register it before they are configured')

    const { oauth } = service.configuration

    if (oauth) {
      requireProof(app, service.configKey)
      app.configure(feathersOAuth()(settings))

      const path = providerPath(oauth)

      app.service(path).hooks({ around: { all: [requireProvider(service)] } })
      app.service(`${path}/callback`).hooks({
        around: { all: [requireProvider(service), handOver(service, pathOf(app, service, settings))] }
      })
    }
  }

/** The path that sends browsers to a provider, as Feathers registers it; they come back below it. */
function providerPath({ defaults = {} }: { defaults?: Record<string, unknown> }): string {
  const { prefix = 'oauth' } = defaults

  return `${String(prefix)}/:provider`
}

/**
 * Turns on `state` and PKCE, which prove that a provider's answer belongs to a request of this browser (RFC 9700 §2.1.1,
 * §4.7). Grant, which Feathers uses, does neither by default.
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
