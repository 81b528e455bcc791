import { pino, type DestinationStream, type Logger } from 'pino'
import pretty from 'pino-pretty'

export type { Logger }

// What could hold a credential, should an object with it ever be logged
const secrets = [
  'password',
  'currentPassword',
  'accessToken',
  'refreshToken',
  'secret',
  'authorization',
  'cookie'
]

const levels: Record<string, string> = { production: 'info', test: 'warn' }
const inMessage = 'requestId,method,path,status,ms,ip,userId' // or of little use to one person at a terminal

/** The log: JSON in production, for people elsewhere. On standard output, unless another destination is given. */
export function createLogger(
  environment = process.env.NODE_ENV,
  destination: DestinationStream = process.stdout
): Logger {
  const redact = { paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '…' }
  const level = levels[environment ?? ''] ?? 'debug'

  return environment === 'production'
    ? pino({ redact, level, base: null }, destination)
    : pino(
        { redact, level, base: null },
        pretty({ destination, sync: true, translateTime: 'HH:MM:ss', ignore: `pid,hostname,${inMessage}` })
      )
}
