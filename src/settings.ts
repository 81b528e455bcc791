import { checkedConfiguration, isObject, readConfiguration, type Configuration } from './configuration.js'
import { developmentSecrets } from './dev/secrets.js'

/**
 * The settings to start with: config/ and the environment, and in development secrets that are made and kept.
 *
 * @throws ConfigurationError
 */
export async function loadSettings(): Promise<Configuration> {
  const settings = readConfiguration()

  if (process.env.NODE_ENV !== 'production') {
    await addSecrets(settings)
  }

  return checkedConfiguration(settings)
}

/** What is no object is a mistake that is told when all is checked. */
async function addSecrets({ authentication, data }: Record<string, unknown>): Promise<void> {
  const holders = isObject(authentication) ? [authentication, authentication['refresh-token']] : []

  if (typeof data === 'string' && holders.some(lacksSecret)) {
    const { accessToken, refreshToken } = await developmentSecrets(data)

    holders.forEach((holder, index) => {
      if (lacksSecret(holder)) {
        holder.secret = [accessToken, refreshToken][index]
      }
    })
  }
}

const lacksSecret = (settings: unknown): settings is { secret?: string | undefined } =>
  isObject(settings) && (settings.secret === undefined || settings.secret === '')
