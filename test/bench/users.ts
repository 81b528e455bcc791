import { randomBytes, randomUUID } from 'node:crypto'
import { newSessionId, type SessionRecord } from '../../src/refresh-token/sessions/session.js'

/** A user document, but for its id, which can say what it is for. */
export interface User {
  _id: string
  sessions: SessionRecord[]
  [field: string]: unknown
}

const idleLife = 30 * 24 * 60 * 60 * 1000 // ms
const base64 = (bytes: number) => randomBytes(bytes).toString('base64url')

/** As the service stores it. */
export function newUser(sessions = 1, id: string = randomUUID()): User {
  return {
    _id: id,
    email: `${base64(9).toLowerCase()}@example.com`,
    name: 'Ada Lovelace',
    password: `$argon2id$v=19$m=19456,t=2,p=1$${base64(16)}$${base64(32)}`,
    roles: ['user'],
    createdAt: new Date(),
    sessions: Array.from({ length: sessions }, newSession)
  }
}

export function newSession(): SessionRecord {
  const now = Date.now()

  return {
    id: newSessionId(now),
    strategy: 'local',
    device: {
      id: randomUUID(),
      name: 'A browser',
      userAgent:
        'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
      ip: '192.0.2.17'
    },
    renewable: true,
    used: randomUUID(),
    keys: [base64(32)],
    createdAt: new Date(now),
    refreshedAt: new Date(now),
    expiresAt: new Date(now + idleLife)
  }
}
