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

async function addSecrets({ authentication, data }: Record<string, unknown>): Promise<void> {
  const refreshToken = isObject(authentication) ? authentication['refresh-token'] : undefined

  if (!isObject(authentication) || !isObject(refreshToken) || typeof data !== 'string') {
    return // a mistake that is told when all is checked
  }

  if ([authentication.secret, refreshToken.secret].some(isMissing)) {
    const made = await developmentSecrets(data)

    authentication.secret = isMissing(authentication.secret) ? made.accessToken : authentication.secret
    refreshToken.secret = isMissing(refreshToken.secret) ? made.refreshToken : refreshToken.secret
  }
}

const isMissing = (secret: unknown) => secret === undefined || secret === ''
