import { Argument, Command } from 'commander'
import { readConfiguration } from '../configuration.js'
import type { Application } from '../declarations.js'
import { keyReports } from '../key-record.js'
import { readSettings, type Settings } from '../refresh-token/options.js'
import {
  ConfigurationError,
  makeKeyFile,
  reportKeys,
  rotateKeys,
  stoppedByFile,
  tokenKinds,
  tokenLife,
  type KeyReport,
  type TokenKind
} from '../refresh-token/index.js'
import { keyFileOf, loadSettings } from '../settings.js'
import { keyTable, keysAsJson, rotatedLines } from './key-table.js'

/** Runs a command on the service's database, and prints what it answers. */
export type WithApp = (command: (app: Application) => Promise<string>) => Promise<void>

/** `moult keys`: which keys sign and verify, and new ones. */
export function keysCommand(withApp: WithApp): Command {
  const keys = new Command('keys').description('the keys that tokens are signed with')

  keys
    .command('show')
    .description('says which key signs, which only verify, and till when they are needed')
    .option('--json', 'for programs')
    .action((options: { json?: boolean }) => show(withApp, options.json ? keysAsJson : keyTable))

  keys
    .command('rotate')
    .description('writes new keys into the key file, and drops those that are no longer needed')
    .addArgument(new Argument('[kind]', 'only the keys of these tokens').choices(tokenKinds))
    .action(async (kind?: TokenKind) => console.log(await rotate(kind ? [kind] : tokenKinds)))

  return keys
}

type Format = (source: string | undefined, reports: Record<TokenKind, KeyReport[]>) => string

async function show(withApp: WithApp, format: Format): Promise<void> {
  const file = keyFileOf(readConfiguration())

  if (file) {
    console.log(format(file, reportsOf(await serviceSettings())))
  } else {
    // The environment does not say since when a key is there; the services noted it
    await withApp(async (app) => format(undefined, await keyReports(app)))
  }
}

function reportsOf(settings: Settings): Record<TokenKind, KeyReport[]> {
  const report = (kind: TokenKind, { keys }: Settings['accessTokens']['keyring']) =>
    reportKeys(keys, {
      life: tokenLife(kind, settings),
      now: Date.now(),
      stopped: (key) => stoppedByFile(keys, key)
    })

  return {
    access: report('access', settings.accessTokens.keyring),
    refresh: report('refresh', settings.refreshTokens.keyring)
  }
}

async function rotate(kinds: readonly TokenKind[]): Promise<string> {
  const configuration = readConfiguration()
  const file = keyFileOf(configuration)

  if (!file) {
    throw new ConfigurationError(
      'The keys do not come from a file: put a new secret in front of ACCESS_TOKEN_SECRET and REFRESH_TOKEN_SECRET ' +
        'as docs/keys.md says, or name a key file in KEYS_FILE instead of them'
    )
  }
  if (makeKeyFile(file, algorithmIn(configuration))) {
    return `Made ${file}, with a key for each kind of token: both sign at once`
  }

  const settings = await serviceSettings()
  const rotated = rotateKeys(file, {
    algorithm: settings.accessTokens.algorithm,
    life: { access: tokenLife('access', settings), refresh: tokenLife('refresh', settings) },
    kinds,
    now: Date.now()
  })

  return rotatedLines(file, rotated)
}

async function serviceSettings(): Promise<Settings> {
  const { authentication } = await loadSettings()

  return readSettings(authentication, 'authentication', process.env.NODE_ENV === 'production')
}

const algorithmIn = ({ authentication }: ReturnType<typeof readConfiguration>): unknown =>
  (authentication as { jwtOptions?: { algorithm?: unknown } } | undefined)?.jwtOptions?.algorithm ?? 'HS256'
