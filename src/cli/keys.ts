import { Argument, type Command } from 'commander'
import { readConfiguration } from '../configuration.js'
import { keyReports } from '../keys/record.js'
import { ConfigurationError, type Settings } from '../refresh-token/index.js'
import { tokenKinds, type TokenKind, readSettings } from '../refresh-token/internal.js'
import { keyringOf, reportKeys, stoppedByFile, tokenLife, type KeyReport } from '../keys/report.js'
import { makeKeyFile, regularKinds, rotateKeys } from '../keys/rotation.js'
import { keyFileOf, loadSettings } from '../settings/load.js'
import { CommandError, answers, type Answer } from './answer.js'
import { existingManifest } from './manifest.js'
import { keysAnswer, rotatedAnswer } from './key-table.js'
import { withApp } from './with-app.js'

// An app that has installed the package doesn't note which key signed when
const keysOfSettings =
  'The keys come from settings: name a key file in authentication.keys in place of the secrets, or rotate them as ' +
  'docs/keys.md says'

/** `moult keys`: shows and rotates the signing keys. */
export function keysCommands(program: Command): void {
  const keys = program.command('keys').description('the keys that sign tokens')

  answers(
    keys
      .command('show')
      .description('show which key signs, which only verify, and until when they are needed'),
    show
  )
  answers(
    keys
      .command('rotate')
      .description('add new keys to the key file, and drop those that are no longer needed')
      .addArgument(
        new Argument('[kind]', 'only the keys of these tokens; those of factors have to be named').choices(
          tokenKinds
        )
      ),
    (kind?: TokenKind) => rotate(kind ? [kind] : regularKinds)
  )
}

async function show(): Promise<Answer> {
  const file = keyFileOf(readConfiguration())

  if (!file && existingManifest()) {
    throw new CommandError(keysOfSettings)
  }

  // The environment doesn't tell how old a key is; the services note it in the database
  return file
    ? keysAnswer(file, reportsOf(await serviceSettings()))
    : withApp(async (app) => keysAnswer(undefined, await keyReports(app)))
}

function reportsOf(settings: Settings): Record<TokenKind, KeyReport[]> {
  const report = (kind: TokenKind) => {
    const keys = keyringOf(kind, settings)?.keys ?? []

    return reportKeys(keys, {
      life: tokenLife(kind, settings),
      now: Date.now(),
      stopped: (key) => stoppedByFile(keys, key)
    })
  }

  return { access: report('access'), refresh: report('refresh'), factor: report('factor') }
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
      text: `Made ${file}, with a key of each kind: all sign at once`,
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
