import { createHash } from 'node:crypto'
import { unavailable } from '../database-errors.js'
import { Refused } from '../errors.js'
import type { Settings } from '../settings/settings.js'
import type { RefreshToken, RefreshTokenClaims } from '../tokens/refresh-token.js'
import { maxAttempts, type OwnedSession, type SessionRecords, type SessionUpdate } from './records.js'
import { expiryOf, isExpired, live, openedAt, type SessionRecord } from './session.js'

const isEnabled = { disabled: { $ne: true } }
const keysRemembered = 4 // clients that share a token and each repeat after the leeway: the tabs of a browser

/** How the presentation of a refresh token is judged. */
export type Verdict = 'first use' | 'repeat' | 'reuse' | 'expired'

/**
 * Judges a refresh token whose signature holds against its session: RFC 9700 §4.14.2, with one liberty: a used token
 * may be repeated while its successor is unused.
 *
 * @param leeway ms
 * @param key Hash of the idempotency key that came with the token
 * @param now ms since 1970
 */
export function judge(
  session: SessionRecord,
  token: Pick<RefreshTokenClaims, 'jti' | 'prev'>,
  { leeway, key, now }: { leeway: number; key?: string | undefined; now: number }
): Verdict {
  if (isExpired(session, now)) {
    return 'expired'
  }
  if (session.token) {
    return token.jti === session.token.jti ? 'first use' : 'reuse'
  }
  if (token.prev === session.used) {
    return 'first use'
  }
  if (token.jti !== session.used) {
    return 'reuse'
  }

  const isGranted = session.unanswered || (key !== undefined && session.keys.includes(key))

  return isGranted || now - session.refreshedAt.getTime() < leeway ? 'repeat' : 'reuse'
}

/**
 * Uses a refresh token. Of many uses at once, one is the first; the others are judged by the session it left behind.
 *
 * @param idempotencyKey Lets the same client repeat the use after the leeway
 * @throws Refused `expired`, `revoked`, `disabled`, `reused`: the last only for the one use that ended the session
 */
export async function useRefreshToken(
  records: SessionRecords,
  token: RefreshToken,
  idempotencyKey?: string
): Promise<OwnedSession> {
  const key = idempotencyKey === undefined ? undefined : hashKey(token.jti, idempotencyKey)

  // `maxLifetime` may have been shortened since the session's own expiry was stored
  if (openedAt(token.sid) + records.settings.absoluteLife <= records.now()) {
    throw new Refused('expired')
  }

  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const used = (await useFirst(records, token, key)) ?? (await useAgain(records, token, key))

    if (used) {
      return used
    }
  }

  throw unavailable()
}

async function useFirst(records: SessionRecords, token: RefreshToken, key: string | undefined) {
  const { settings } = records
  const now = records.now()
  const owned = settings.rotation
    ? await records.updateGrouped(
        token.sub,
        token.sid,
        (mark) => firstUse(token, key, settings, now, mark),
        isEnabled
      )
    : await records.update(token.sub, keptUse(token, now), isEnabled)

  return owned && refreshed(records, token, owned)
}

/** After a use that was not the first: a repeat, or the end of the session. Undefined when another use got in between. */
async function useAgain(
  records: SessionRecords,
  token: RefreshToken,
  key: string | undefined
): Promise<OwnedSession | undefined> {
  // A failover can undo a write that only the primary has, but not what this reads
  const { user, session } = await records.read(token.sub, token.sid, { level: 'majority' })
  const { leeway, rotation } = records.settings
  const now = records.now()
  const verdict = judge(session, token, { leeway, key, now })

  if (verdict === 'expired') {
    throw new Refused('expired')
  }
  if (verdict === 'reuse') {
    // RFC 9700 §4.14.2: two parties hold the token, and nothing tells which one is the rightful owner
    throw new Refused(
      (await records.remove(token.sub, live(token.sid, now), 'reused')) ? 'reused' : 'revoked'
    )
  }
  if (!rotation && !session.token) {
    const owned = await records.update(token.sub, keepToken(session, token, now))

    return owned && refreshed(records, token, owned)
  }
  if (verdict === 'first use') {
    return undefined
  }

  const owned =
    key === undefined || session.keys.includes(key)
      ? { user, session }
      : await records.update(token.sub, repeat(token, key, now))

  return owned && { ...owned, repeated: true }
}

function refreshed(records: SessionRecords, { sub }: RefreshToken, owned: OwnedSession): OwnedSession {
  records.changed({ userId: sub, refreshed: owned.session })

  return owned
}

/** The stored form of an idempotency key: bound to one token, and useless to somebody who reads the database. */
export function hashKey(jti: string, key: string): string {
  return createHash('sha256').update(`${jti}:${key}`).digest('base64url')
}

/**
 * The first use of a refresh token: the session remembers it from now on.
 *
 * @param key Hash of the idempotency key that came with the token
 * @param mark Tells this use from others at the same moment. No request can name it, and it gives way to keys
 */
export function firstUse(
  token: RefreshToken,
  key: string | undefined,
  settings: Settings,
  now: number,
  mark?: string
): SessionUpdate {
  return {
    // A session that was opened with `rotation: false` accepts only the token it keeps
    match: { ...live(token.sid, now), used: token.prev, 'token.jti': { $in: [null, token.jti] } },
    update: {
      $set: {
        used: token.jti,
        keys: [mark, key].filter((each) => each !== undefined),
        refreshedAt: new Date(now),
        expiresAt: expiryOf(token.sid, settings, now)
      },
      // `token` is left from `rotation: false`
      $unset: { token: '', unanswered: '' }
    }
  }
}

/** Any use of the refresh token that a session keeps. */
export function keptUse(token: RefreshToken, now: number): SessionUpdate {
  return {
    match: { ...live(token.sid, now), 'token.jti': token.jti },
    update: { $set: { refreshedAt: new Date(now) } }
  }
}

/** The use of a refresh token that was not answered, since the service or the app failed: it may be repeated. */
export function unanswered({ sid, jti }: RefreshToken, now: number): SessionUpdate {
  return { match: { ...live(sid, now), used: jti }, update: { $set: { unanswered: true } } }
}

/** A repeat under a new idempotency key. */
export function repeat(token: RefreshToken, key: string, now: number): SessionUpdate {
  return {
    // Several repeats with one key add it once, so that they do not crowd out other keys
    match: { ...live(token.sid, now), used: token.jti, keys: { $ne: key } },
    update: { $push: { keys: { $each: [key], $slice: -keysRemembered } } }
  }
}

/** `rotation` was turned off after the session was opened: from now on it keeps this token. */
export function keepToken(session: SessionRecord, token: RefreshToken, now: number): SessionUpdate {
  return {
    match: { ...live(token.sid, now), used: session.used, token: { $exists: false } },
    update: {
      $set: {
        used: token.prev,
        token: { jti: token.jti, iat: token.iat, kid: token.kid },
        refreshedAt: new Date(now),
        expiresAt: new Date(token.exp * 1000)
      }
    }
  }
}
