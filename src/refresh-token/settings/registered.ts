import type { AuthenticationService } from '@feathersjs/authentication'
import { ConfigurationError } from '../errors.js'

/**
 * Checks the settings that name services and strategies. Called at setup, since these can be registered in any order.
 *
 * @throws ConfigurationError for a name that is not registered
 */
export function requireRegistered(service: AuthenticationService): void {
  const { service: path, authStrategies, parseStrategies = [] } = service.configuration

  requireService(service, path!)
  requireStrategies(service, 'authStrategies', authStrategies)
  requireStrategies(service, 'parseStrategies', parseStrategies)
}

function requireService({ app, configKey }: AuthenticationService, path: string): void {
  try {
    app.service(path)
  } catch {
    throw new ConfigurationError(
      `${configKey}.service is "${path}", but there is no such service: ` +
        'write the path of the entity service, such as "users"'
    )
  }
}

function requireStrategies(
  { configKey, strategies, strategyNames }: AuthenticationService,
  key: string,
  names: string[]
) {
  const unknown = names.find((name) => !strategies[name])

  if (unknown !== undefined) {
    throw new ConfigurationError(
      `${configKey}.${key} names "${unknown}", but no strategy is registered under that name: ` +
        `write one of ${JSON.stringify(strategyNames)}, or register it`
    )
  }
}
