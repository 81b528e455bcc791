import { Type, type Static } from '@feathersjs/typebox'
import { ConfigurationError } from '../refresh-token/index.js'
import { switchable } from '../settings/switchable.js'

/** `metrics`: where they are served; `false` turns them off. */
export const metricsSetting = switchable(
  {
    port: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 65535, description: 'write a port of their own, such as 9464' })
    ),
    host: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'write the name or address to listen on, such as "localhost"'
      })
    ),
    token: Type.Optional(Type.String({ minLength: 16, description: 'write at least 16 random characters' }))
  },
  'write false, or an object with port (and host), or with a token for the port of the service'
)

export type MetricsSettings = Static<typeof metricsSetting>

/** @throws ConfigurationError if anybody could read the metrics */
export function requireGuarded(metrics: MetricsSettings): void {
  if (metrics && metrics.port === undefined && metrics.token === undefined) {
    throw new ConfigurationError(
      'metrics.port is missing: write a port of their own, such as 9464, or a metrics.token for the port of the service'
    )
  }
}
