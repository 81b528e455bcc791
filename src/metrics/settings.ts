import { Type, type Static } from '@feathersjs/typebox'
import { switchable } from '../rate-limits/settings.js'
import { ConfigurationError } from '../refresh-token/errors.js'

/** `metrics`: where they are read; `false` counts nothing. */
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

/** @throws ConfigurationError where anybody could read them */
export function requireGuarded(metrics: MetricsSettings): void {
  if (metrics && metrics.port === undefined && metrics.token === undefined) {
    throw new ConfigurationError(
      'metrics.port is missing: write a port of their own, such as 9464, or a metrics.token for the port of the service'
    )
  }
}
