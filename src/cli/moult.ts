import { readFileSync } from 'node:fs'
import { FeathersError } from '@feathersjs/errors'
import { Command, CommanderError } from 'commander'
import { MongoError } from 'mongodb'
import { DevelopmentError } from '../dev/development-error.js'
import { ConfigurationError } from '../refresh-token/index.js'
import { CommandError, Failed } from './answer.js'
import { checkCommand } from './check.js'
import { keysCommands } from './keys.js'
import { sessionsCommands } from './sessions.js'
import { usersCommands } from './users.js'

/** Exit codes. */
const done = 0
const failed = 1
const misused = 2

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

/** The command line: `moult users add …`. Runs one command, and says with which code the process is to end. */
export async function moult(argv: string[]): Promise<number> {
  process.stdout.on('error', endQuietly)

  try {
    await program().parseAsync(argv)
    return done
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has said what is wrong, or shown the help that was asked for
      return error.exitCode === 0 ? done : misused
    }

    complain(error)
    return failed
  }
}

/** All commands. */
export function program(): Command {
  const program = new Command('moult')
    .version(version, '--version', 'says which version this is')
    .description('Looks after a Moult service and its database')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 not a command. Everything is said in docs/cli.md'
    )
    .exitOverride()

  usersCommands(program)
  sessionsCommands(program)
  keysCommands(program)
  checkCommand(program)

  return program
}

/** One sentence for what can be mended; the stack for what is our fault. */
function complain(error: unknown): void {
  if (error instanceof Failed) {
    return
  }

  const expected = [FeathersError, ConfigurationError, DevelopmentError, CommandError, MongoError].some(
    (kind) => error instanceof kind
  )

  console.error(expected ? (error as Error).message : error)
}

/** Whoever reads has read enough: `moult users list | head` */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') {
    throw error
  }

  process.exit(done)
}
