import { randomUUID } from 'node:crypto'
import { ObjectId } from 'mongodb'
import { readConfiguration } from '../../../src/configuration.js'
import { readSettings } from '../../../src/refresh-token/settings/settings.js'
import { expiryOf, newSessionId, type SessionRecord } from '../../../src/refresh-token/sessions/session.js'
import { sign } from '../../../src/refresh-token/tokens/jwt.js'
import { goodSecrets } from '../../support/service.js'
import type { Service } from './services.js'

// Sessions by the ten thousand: written into the database as Moult writes them, with tokens signed by its keys.

interface Authentication {
  secret?: string
  'refresh-token': { secret?: string }
}

/** What a client of a session has. */
export interface Tokens {
  accessToken: string
  refreshToken: string
}

const configured = readConfiguration().authentication as Authentication
const settings = readSettings(
  {
    ...configured,
    secret: goodSecrets.ACCESS_TOKEN_SECRET,
    'refresh-token': { ...configured['refresh-token'], secret: goodSecrets.REFRESH_TOKEN_SECRET }
  },
  'authentication',
  false
)
const batch = 5000 // users of one insertMany
const life = 3600 // s: an access token for the whole benchmark

// As browsers name themselves
const userAgent =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'

/**
 * Inserts users, each with so many sessions. Answers tokens of some of them, evenly spread over all: of the middle one
 * of the sessions of each.
 */
export async function insertUsers(
  { db }: Service,
  { users, sessions, tokens }: { users: number; sessions: number; tokens: number }
): Promise<Tokens[]> {
  const every = Math.floor(users / tokens)
  const spread: Tokens[] = []

  for (let first = 0; first < users; first += batch) {
    const documents = Array.from({ length: Math.min(batch, users - first) }, (_, offset) =>
      newUser(first + offset, sessions)
    )

    await db.collection('users').insertMany(documents, { ordered: false })
    documents.forEach(({ _id, sessions }, offset) => {
      if ((first + offset) % every === 0 && spread.length < tokens) {
        spread.push(tokensOf(String(_id), sessions[Math.floor(sessions.length / 2)]!))
      }
    })
  }

  return spread
}

function newUser(index: number, sessions: number) {
  return {
    _id: new ObjectId(),
    email: `user-${String(index).padStart(9, '0')}@example.com`,
    name: `Somebody number ${index}`,
    // As long as one: nobody signs in with it
    password: `$argon2id$v=19$m=19456,t=2,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`,
    roles: ['user'],
    disabled: false,
    sessions: Array.from({ length: sessions }, newSession),
    createdAt: new Date()
  }
}

function newSession(): SessionRecord {
  const now = Date.now()
  const id = newSessionId(now)

  return {
    id,
    strategy: 'local',
    device: { id: randomUUID(), name: 'A browser', userAgent, ip: '203.0.113.7' },
    renewable: true,
    used: randomUUID(),
    keys: [],
    createdAt: new Date(now),
    refreshedAt: new Date(now),
    expiresAt: expiryOf(id, settings, now)
  }
}

function tokensOf(sub: string, { id, used, expiresAt }: SessionRecord): Tokens {
  const { issuer: iss, audience: aud } = settings.accessTokens
  const iat = Math.floor(Date.now() / 1000)
  const claims = { sub, sid: id, iat, iss, aud }

  return {
    accessToken: sign(settings.accessTokens, { ...claims, exp: iat + life, jti: randomUUID() }),
    refreshToken: sign(settings.refreshTokens, {
      ...claims,
      exp: Math.floor(expiresAt.getTime() / 1000),
      jti: randomUUID(),
      prev: used
    })
  }
}
