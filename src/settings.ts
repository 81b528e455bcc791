import { checkedConfiguration, readConfiguration, type Configuration } from './configuration.js'
import { developmentSecrets, secretsFile } from './dev/secrets.js'

type Unchecked = ReturnType<typeof readConfiguration>

/**
 * The settings to start with: config/ and the environment, and in development secrets that are made and kept.
 *
 * @throws ConfigurationError
 */
export async function loadSettings(): Promise<Configuration> {
  const settings = readConfiguration()
  const { authentication, data } = settings

  if (authentication && typeof data === 'string' && needsSecrets(settings)) {
    const refreshToken = (authentication['refresh-token'] ??= {})
    const made = await developmentSecrets(data)

    if (isMissing(authentication.secret) && isMissing(refreshToken.secret)) {
      authentication.keys = secretsFile(data)
      delete authentication.secret
      delete refreshToken.secret
    } else {
      authentication.secret ||= made.accessToken
      refreshToken.secret ||= made.refreshToken
    }
  }

  return checkedConfiguration(settings)
}

/** The file that all keys come from: the configured one, or in development the one that is made. */
export function keyFileOf(settings: Unchecked): string | undefined {
  const { authentication, data } = settings

  if (typeof authentication?.keys === 'string') {
    return authentication.keys
  }

  const none = isMissing(authentication?.secret) && isMissing(authentication?.['refresh-token']?.secret)

  return none && typeof data === 'string' && needsSecrets(settings) ? secretsFile(data) : undefined
}

/** Whether some have to be made: never in production. */
function needsSecrets({ authentication }: Unchecked): boolean {
  const secrets = [authentication?.secret, authentication?.['refresh-token']?.secret]

  return (
    process.env.NODE_ENV !== 'production' && authentication?.keys === undefined && secrets.some(isMissing)
  )
}

const isMissing = (secret: unknown): boolean => secret === undefined || secret === ''
