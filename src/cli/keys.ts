import { Argument, type Command } from 'commander'
import { readConfiguration } from '../configuration.js'
import { keyReports } from '../key-record.js'
import { ConfigurationError } from '../refresh-token/errors.js'
import {
  reportKeys,
  stoppedByFile,
  tokenKinds,
  tokenLife,
  type KeyReport,
  type TokenKind
} from '../refresh-token/key-life.js'
import { makeKeyFile, rotateKeys } from '../refresh-token/key-rotation.js'
import { readSettings, type Settings } from '../refresh-token/options.js'
import { keyFileOf, loadSettings } from '../settings.js'
import { CommandError, answers, type Answer } from './answer.js'
import { existingManifest } from './manifest.js'
import { keysAnswer, rotatedAnswer } from './key-table.js'
import { withApp } from './with-app.js'

// Of an app: when which of them signed is noted by nobody
const keysOfSettings =
  'The keys come from settings: name a key file in authentication.keys in place of the secrets, or rotate them as ' +
  'docs/keys.md says'

/** `moult keys`: which keys sign and verify, and new ones. */
export function keysCommands(program: Command): void {
  const keys = program.command('keys').description('the keys that tokens are signed with')

  answers(
    keys
      .command('show')
      .description('says which key signs, which only verify, and till when they are needed'),
    show
  )
  answers(
    keys
      .command('rotate')
      .description('writes new keys into the key file, and drops those that are no longer needed')
      .addArgument(new Argument('[kind]', 'only the keys of these tokens').choices(tokenKinds)),
    (kind?: TokenKind) => rotate(kind ? [kind] : tokenKinds)
  )
}

async function show(): Promise<Answer> {
  const file = keyFileOf(readConfiguration())

  if (!file && existingManifest()) {
    throw new CommandError(keysOfSettings)
  }

  // The environment does not say since when a key is there; the services noted it
  return file
    ? keysAnswer(file, reportsOf(await serviceSettings()))
    : withApp(async (app) => keysAnswer(undefined, await keyReports(app)))
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

async function rotate(kinds: readonly TokenKind[]): Promise<Answer> {
  const configuration = readConfiguration()
  const file = keyFileOf(configuration)

  if (!file && existingManifest()) {
    throw new CommandError(keysOfSettings)
  }
  if (!file) {
    throw new ConfigurationError(
      'The keys do not come from a file: put a new secret in front of ACCESS_TOKEN_SECRET and REFRESH_TOKEN_SECRET ' +
        'as docs/keys.md says, or name a key file in KEYS_FILE instead of them'
    )
  }
  if (makeKeyFile(file, algorithmIn(configuration))) {
    return {
      text: `Made ${file}, with a key for each kind of token: both sign at once`,
      data: { file, made: true, added: [], dropped: [] }
    }
  }

  const settings = await serviceSettings()
  const rotated = rotateKeys(file, {
    algorithm: settings.accessTokens.algorithm,
    life: { access: tokenLife('access', settings), refresh: tokenLife('refresh', settings) },
    kinds,
    now: Date.now()
  })

  return rotatedAnswer(file, rotated)
}

async function serviceSettings(): Promise<Settings> {
  const { authentication } = existingManifest() ? readConfiguration() : await loadSettings()

  return readSettings(authentication, 'authentication', process.env.NODE_ENV === 'production')
}

const algorithmIn = ({ authentication }: ReturnType<typeof readConfiguration>): unknown =>
  (authentication as { jwtOptions?: { algorithm?: unknown } } | undefined)?.jwtOptions?.algorithm ?? 'HS256'
