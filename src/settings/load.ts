import {
  checkedConfiguration,
  isObject,
  needsFactorKey,
  readConfiguration,
  type Configuration
} from '../configuration.js'
import { developmentSecrets, secretsFile } from '../dev/secrets.js'

type Unchecked = ReturnType<typeof readConfiguration>

/** The settings that have a secret: `authentication`, `authentication.refresh-token` and `authentication.factors`. */
type Holder = { secret?: string | undefined; keys?: string }

const names = ['accessToken', 'refreshToken', 'factor'] as const

/**
 * The settings from config/ and the environment; in development, with generated secrets that are kept on disk.
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

/** The file that all keys come from: the configured one, or in development the generated one. */
export function keyFileOf(settings: Unchecked): string | undefined {
  const { authentication, data } = settings

  if (isObject(authentication) && typeof authentication.keys === 'string') {
    return authentication.keys
  }

  const isGenerated =
    typeof data === 'string' && mayLackSecrets(settings) && holdersOf(settings).every(lacksSecret)

  return isGenerated ? secretsFile(data) : undefined
}

async function addSecrets(holders: Holder[], data: string): Promise<void> {
  const secrets = await developmentSecrets(data)

  if (holders.every(lacksSecret)) {
    holders.forEach((holder) => delete holder.secret)
    holders[0]!.keys = secretsFile(data)
    return
  }

  holders.forEach((holder, index) => {
    if (lacksSecret(holder)) {
      holder.secret = secrets[names[index]!]
    }
  })
}

/** Whether secrets may be generated: never in production, nor if the keys come from a file. */
function mayLackSecrets({ authentication }: Unchecked): boolean {
  return (
    process.env.NODE_ENV !== 'production' && isObject(authentication) && authentication.keys === undefined
  )
}

/** The holders; none if one is not an object, which is reported when the settings are validated. */
function holdersOf({ authentication }: Unchecked): Holder[] {
  if (!isObject(authentication) || !isObject(authentication['refresh-token'])) {
    return []
  }

  const { 'refresh-token': refreshToken, factors = {} } = authentication

  if (!needsFactorKey(authentication) || !isObject(factors)) {
    return [authentication, refreshToken]
  }

  authentication.factors = factors
  return [authentication, refreshToken, factors]
}

const lacksSecret = ({ secret }: Holder): boolean => secret === undefined || secret === ''
