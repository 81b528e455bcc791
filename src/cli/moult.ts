import { readFileSync } from 'node:fs'
import { FeathersError } from '@feathersjs/errors'
import { Command, CommanderError } from 'commander'
import { MongoError } from 'mongodb'
import { DevelopmentError } from '../dev/development-error.js'
import { ConfigurationError } from '../refresh-token/index.js'
import { CommandError, Failed } from './answer.js'
import { checkCommand } from './check.js'
import { eventsCommands } from './events.js'
import { keysCommands } from './keys.js'
import { sessionsCommands } from './sessions.js'
import { suggestCommand } from './suggest-command.js'
import { usersCommands } from './users.js'

/** Exit codes. */
const done = 0
const failed = 1
const misused = 2

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

/** Runs one command line, such as `moult users add …`. Returns the exit code. */
export async function moult(argv: string[]): Promise<number> {
  process.stdout.on('error', endQuietly)

  try {
    await program().parseAsync(argv)
    return done
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has already printed the mistake, or the help that was asked for
      return error.exitCode === 0 ? done : misused
    }

    report(error)
    return failed
  }
}

/** All commands. */
export function program(): Command {
  const program = new Command('moult')
    .version(version, '--version', 'print the version')
    .description('Manage a Moult service and its database')
    .addHelpText(
      'after',
      '\nExit codes: 0 success, 1 failure, 2 unknown command or wrong arguments. See docs/cli.md'
    )
    .exitOverride()

  usersCommands(program)
  sessionsCommands(program)
  eventsCommands(program)
  keysCommands(program)
  checkCommand(program)
  program.commands.filter(({ commands }) => commands.length > 0).forEach(suggestCommand)

  return program
}

/** Prints a sentence for mistakes that the caller can fix, and the stack for bugs. */
function report(error: unknown): void {
  if (error instanceof Failed) {
    return
  }

  const expected = [FeathersError, ConfigurationError, DevelopmentError, CommandError, MongoError].some(
    (kind) => error instanceof kind
  )

  console.error(expected ? (error as Error).message : error)
}

/** Ends when the reader has closed the pipe, as in `moult users list | head`. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') {
    throw error
  }

  process.exit(done)
}
