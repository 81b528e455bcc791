import type { Document } from 'mongodb'
import type { Settings } from './options.js'
import { expiryOf, keysRemembered, type Device, type SessionRecord } from './session.js'
import type { RefreshToken } from './token.js'

/** A change of one session: what the element of `sessions` has to match, and the update of the document. */
export interface SessionUpdate {
  match: Document
  update: Document
}

/** Matches a session that has not expired. */
export function live(id: string, now: number): Document {
  return { id, expiresAt: { $gt: new Date(now) } }
}

/**
 * The first use of a refresh token: it becomes the remembered one.
 *
 * @param key Hash of the idempotency key it is used under
 */
export function firstUse(
  token: RefreshToken,
  key: string | undefined,
  settings: Settings,
  now: number
): SessionUpdate {
  return {
    // A session that keeps a token, from when rotation was off, takes that one only
    match: { ...live(token.sid, now), used: token.prev, 'token.jti': { $in: [null, token.jti] } },
    update: {
      $set: {
        'sessions.$.used': token.jti,
        'sessions.$.keys': key === undefined ? [] : [key],
        'sessions.$.refreshedAt': new Date(now),
        'sessions.$.expiresAt': expiryOf(token.sid, settings, now)
      },
      // of a session that was opened before rotation was turned on
      $unset: { 'sessions.$.token': '' }
    }
  }
}

/** Any use of the refresh token that a session keeps. */
export function keptUse(token: RefreshToken, now: number): SessionUpdate {
  return {
    match: { ...live(token.sid, now), 'token.jti': token.jti },
    update: { $set: { 'sessions.$.refreshedAt': new Date(now) } }
  }
}

/** A repeat under a key that is not remembered yet. */
export function repeat(token: RefreshToken, key: string, now: number): SessionUpdate {
  return {
    // Of many with one key, one is enough: the others must not crowd out other keys
    match: { ...live(token.sid, now), used: token.jti, keys: { $ne: key } },
    update: { $push: { 'sessions.$.keys': { $each: [key], $slice: -keysRemembered } } }
  }
}

/** Rotation was turned off since the session was opened: the token at hand becomes the one that stays. */
export function keep(session: SessionRecord, token: RefreshToken, now: number): SessionUpdate {
  return {
    match: { ...live(token.sid, now), used: session.used, token: { $exists: false } },
    update: {
      $set: {
        'sessions.$.used': token.prev,
        'sessions.$.token': { jti: token.jti, iat: token.iat, kid: token.kid },
        'sessions.$.refreshedAt': new Date(now),
        'sessions.$.expiresAt': new Date(token.exp * 1000)
      }
    }
  }
}

/** A login that is answered the token its session keeps; `device` says what was seen of it now. */
export function reopened(match: Document, device: Device, now: number): SessionUpdate {
  const seen = Object.entries(device).map(([key, value]) => [`sessions.$.device.${key}`, value])

  return { match, update: { $set: { 'sessions.$.refreshedAt': new Date(now), ...Object.fromEntries(seen) } } }
}

/** Adds a session and takes away those that it displaces: the counterpart of `displaced`, as a pipeline. */
export function insertion(
  session: SessionRecord,
  { deviceId, maxSessions, now }: { deviceId?: string | undefined; maxSessions: number; now: number }
): Document[] {
  const stays = [
    { $gt: ['$$this.expiresAt', new Date(now)] },
    ...(deviceId === undefined ? [] : [{ $ne: ['$$this.device.id', { $literal: deviceId }] }])
  ]
  const others = { $filter: { input: { $ifNull: ['$sessions', []] }, cond: { $and: stays } } }
  const sorted = { $sortArray: { input: others, sortBy: { refreshedAt: 1, id: 1 } } }

  return [
    {
      $set: { sessions: { $concatArrays: [{ $slice: [sorted, 1 - maxSessions] }, [{ $literal: session }]] } }
    }
  ]
}
