import { checkedConfiguration, readConfiguration, type Configuration } from './configuration.js'
import { developmentSecrets } from './dev/secrets.js'

/**
 * The settings to start with: config/ and the environment, and in development secrets that are made and kept.
 *
 * @throws ConfigurationError
 */
export async function loadSettings(): Promise<Configuration> {
  const settings = readConfiguration()
  const { authentication, data } = settings
  const isMissing = (secret: unknown) => secret === undefined || secret === ''

  if (process.env.NODE_ENV !== 'production' && authentication && typeof data === 'string') {
    const refreshToken = (authentication['refresh-token'] ??= {})

    if (isMissing(authentication.secret) || isMissing(refreshToken.secret)) {
      const made = await developmentSecrets(data)

      authentication.secret ||= made.accessToken
      refreshToken.secret ||= made.refreshToken
    }
  }

  return checkedConfiguration(settings)
}
