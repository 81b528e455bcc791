import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AnnouncedSessions } from '../../../src/refresh-token/live/announced-sessions.js'
import { newSessionId, type SessionRecord } from '../../../src/refresh-token/sessions/session.js'

const now = Date.now()
const userId = 'a user'

const sessionOf = (): SessionRecord => ({
  id: newSessionId(now),
  strategy: 'local',
  device: {},
  renewable: true,
  used: 'a token used before',
  keys: [],
  createdAt: new Date(now),
  refreshedAt: new Date(now),
  expiresAt: new Date(now + 1000)
})

describe('what was announced of sessions', () => {
  const [own, other] = [sessionOf(), sessionOf()]
  const followed = () => {
    const sessions = new AnnouncedSessions()

    sessions.follow(userId, own)
    return sessions
  }
  const complete = (sessions: AnnouncedSessions, read: SessionRecord[]) => {
    sessions.compare(userId, read)
    return sessions
  }

  it('is not kept for users without connections', () => {
    const sessions = new AnnouncedSessions()

    assert.equal(sessions.note('removed', userId, own), true)
    assert.equal(sessions.version(userId), undefined)
  })

  it('announces the end of a session that was not read yet too', () => {
    assert.equal(followed().note('removed', userId, other), true)
  })

  it('announces an end once, when all sessions have been read', () => {
    const sessions = complete(followed(), [own, other])

    assert.deepEqual(
      [1, 2].map(() => sessions.note('removed', userId, other)),
      [true, false]
    )
  })

  it('announces a new session once, and each change', () => {
    const sessions = complete(followed(), [own])
    const told = (['created', 'created', 'patched', 'patched'] as const).map((event) =>
      sessions.note(event, userId, other)
    )

    assert.deepEqual(told, [true, false, true, true])
  })

  it('treats missing sessions as ended, and new ones as created once all have been read', () => {
    const sessions = followed()

    assert.deepEqual(sessions.compare(userId, [other]), { created: [], gone: [own] })
    assert.deepEqual(sessions.compare(userId, [own, other]), { created: [], gone: [] })
    sessions.note('removed', userId, own)
    assert.deepEqual(sessions.compare(userId, [own, other]), { created: [own], gone: [] })
  })

  it('announces no change of a session whose end was announced', () => {
    const sessions = complete(followed(), [own, other])

    sessions.note('removed', userId, other)
    assert.equal(sessions.note('patched', userId, other), false)
    assert.deepEqual(sessions.compare(userId, [own]), { created: [], gone: [] })
    // Of one that was not read yet nothing of the kind is known
    assert.equal(followed().note('patched', userId, other), true)
  })

  it('gets a new version when it is forgotten and announced again: earlier reads are older', () => {
    const sessions = followed()
    const before = sessions.version(userId)

    sessions.unfollow(userId)
    sessions.follow(userId, other)
    assert.notEqual(sessions.version(userId), before)
  })

  it('is incomplete when a connection has a session that is not among them', () => {
    const sessions = complete(followed(), [own])

    assert.deepEqual([sessions.follow(userId, own), sessions.follow(userId, other)], [false, true])
  })

  it('is forgotten with the last connection', () => {
    const sessions = followed()

    sessions.follow(userId, own)
    sessions.unfollow(userId)
    assert.deepEqual(sessions.userIds, [userId])
    sessions.unfollow(userId)
    assert.deepEqual(sessions.userIds, [])
  })
})
