import { checkedConfiguration, isObject, readConfiguration, type Configuration } from './configuration.js'
import { developmentSecrets, secretsFile } from './dev/secrets.js'

type Unchecked = ReturnType<typeof readConfiguration>

/** A part of the settings that a secret belongs to: `authentication`, `authentication.refresh-token`. */
type Holder = { secret?: string | undefined; keys?: string }

/**
 * The settings to start with: config/ and the environment, and in development secrets that are made and kept.
 *
 * @throws ConfigurationError
 */
export async function loadSettings(): Promise<Configuration> {
  const settings = readConfiguration()
  const holders = holdersOf(settings)
  const { data } = settings

  if (typeof data === 'string' && mayLackSecrets(settings) && holders.some(lacksSecret)) {
    await addSecrets(holders, data)
  }

  return checkedConfiguration(settings)
}

/** The file that all keys come from: the configured one, or in development the one that is made. */
export function keyFileOf(settings: Unchecked): string | undefined {
  const { authentication, data } = settings

  if (isObject(authentication) && typeof authentication.keys === 'string') {
    return authentication.keys
  }

  const isMade =
    typeof data === 'string' && mayLackSecrets(settings) && holdersOf(settings).every(lacksSecret)

  return isMade ? secretsFile(data) : undefined
}

async function addSecrets(holders: Holder[], data: string): Promise<void> {
  const { accessToken, refreshToken } = await developmentSecrets(data)

  if (holders.every(lacksSecret)) {
    holders.forEach((holder) => delete holder.secret)
    holders[0]!.keys = secretsFile(data)
    return
  }

  holders.forEach((holder, index) => {
    if (lacksSecret(holder)) {
      holder.secret = [accessToken, refreshToken][index]
    }
  })
}

/** Whether secrets may be made: never in production, and not where the keys come from a file. */
function mayLackSecrets({ authentication }: Unchecked): boolean {
  return (
    process.env.NODE_ENV !== 'production' && isObject(authentication) && authentication.keys === undefined
  )
}

/** Both; none where one is no object, a mistake that is told when all is checked. */
function holdersOf({ authentication }: Unchecked): Holder[] {
  const refreshToken = isObject(authentication) ? authentication['refresh-token'] : undefined

  return isObject(authentication) && isObject(refreshToken) ? [authentication, refreshToken] : []
}

const lacksSecret = ({ secret }: Holder): boolean => secret === undefined || secret === ''
