import { pino, type DestinationStream, type Logger } from 'pino'
import pretty from 'pino-pretty'

export type { Logger }

// Properties that may hold a credential, in case an object with one is ever logged
const secrets = [
  'password',
  'currentPassword',
  'accessToken',
  'refreshToken',
  'token',
  'secret',
  'uri',
  'challenge',
  'code',
  'recoveryCodes',
  'authorization',
  'cookie'
]

const levels: Record<string, string> = { production: 'info', test: 'warn' }
const omitted = 'requestId,method,path,status,ms,ip,userId' // in the message already, or of no use at a terminal

/** Logs JSON in production, and lines for people elsewhere; to standard output unless told otherwise. */
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
        pretty({ destination, sync: true, translateTime: 'HH:MM:ss', ignore: `pid,hostname,${omitted}` })
      )
}
