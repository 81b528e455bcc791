import { appendFileSync, existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isCommonPassword } from '../../src/passwords/common.js'
import { createLogger, type Logger } from '../../src/logger.js'

/** Where the apps of a test run log to, and what they were told that must not be there. Set by the test command. */
const folder = process.env.MOULT_TEST_LOGS

/** A logger that logs everything, as the service would in production; without the test command, to nowhere. */
export function testLogger(): Logger {
  const logger = createLogger('production', {
    write: (line) => noteLog(`${process.pid}.log`, line)
  })

  logger.level = 'trace'
  return logger
}

/** Notes what was logged, for the search at the end: of each source in a file of its own, so that nothing is torn. */
export function noteLog(file: string, text: string): void {
  if (folder) {
    appendFileSync(join(folder, file), text)
  }
}

const noted = new Set<string>()

/** Notes the secrets of a request or an answer: passwords and keys of its own making have no form to search for. */
export function noteSecrets(body: unknown): void {
  for (const secret of secretsIn(body)) {
    if (folder && !noted.has(secret)) {
      noted.add(secret)
      appendFileSync(join(folder, `${process.pid}.secrets`), `${JSON.stringify(secret)}\n`)
    }
  }
}

const secretFields = ['password', 'currentPassword', 'accessToken', 'refreshToken', 'idempotencyKey', 'token']
const ownWords = ['refresh-token', 'email-code', 'recovery-code', 'a@example.com', 'undefined'] // sent in place of a token or a password by tests of hostile input
const shortest = 8 // characters: what is shorter stands in a log by chance

function secretsIn(body: unknown): string[] {
  return typeof body === 'object' && body !== null
    ? secretFields
        .map((field) => (body as Record<string, unknown>)[field])
        .filter(
          (value): value is string =>
            typeof value === 'string' && value.trim().length >= shortest && !ownWords.includes(value)
        )
    : []
}

// Tokens (two parts suffice to know one by) and hashes of passwords
const forms = /eyJ[\w-]{10,}\.[\w-]{10,}|\$argon2|\$2[aby]\$\d\d\$/g

/** What of all that was logged is a secret. */
export async function secretsLogged(logs: string): Promise<string[]> {
  const read = (ending: string) =>
    existsSync(logs)
      ? readdirSync(logs)
          .filter((file) => file.endsWith(ending))
          .map((file) => readFileSync(join(logs, file), 'utf8'))
          .join('')
      : ''
  const log = ['.log', '.output', '.terminal'].map(read).join('')
  const secrets = new Set(
    read('.secrets')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as string)
  )
  const others: string[] = []

  for (const secret of secrets) {
    // Tokens are found by their form, so that not each of thousands has to be searched for. The most common passwords
    // are refused: such as 'password' are words of the log itself
    if (!secret.startsWith('eyJ') && !(await isCommonPassword(secret))) {
      others.push(secret)
    }
  }

  console.log(
    `Searched ${log.length} characters of logs for tokens, hashes and ${others.length} other secrets`
  )
  return [...(log.match(forms) ?? []), ...others.filter((secret) => log.includes(secret))]
}
