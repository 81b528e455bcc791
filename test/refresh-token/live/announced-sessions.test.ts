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

describe('what connections were told of sessions', () => {
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

  it('is not kept of users without connections', () => {
    const sessions = new AnnouncedSessions()

    assert.equal(sessions.note('removed', userId, own), true)
    assert.equal(sessions.version(userId), undefined)
  })

  it('has an end be told also of a session that was not read yet', () => {
    assert.equal(followed().note('removed', userId, other), true)
  })

  it('has an end be told once, as soon as all sessions are known', () => {
    const sessions = complete(followed(), [own, other])

    assert.deepEqual(
      [1, 2].map(() => sessions.note('removed', userId, other)),
      [true, false]
    )
  })

  it('has a beginning be told once, and each change', () => {
    const sessions = complete(followed(), [own])
    const told = (['created', 'created', 'patched', 'patched'] as const).map((event) =>
      sessions.note(event, userId, other)
    )

    assert.deepEqual(told, [true, false, true, true])
  })

  it('takes for gone what is not there, and for created what is new once all are known', () => {
    const sessions = followed()

    assert.deepEqual(sessions.compare(userId, [other]), { created: [], gone: [own] })
    assert.deepEqual(sessions.compare(userId, [own, other]), { created: [], gone: [] })
    sessions.note('removed', userId, own)
    assert.deepEqual(sessions.compare(userId, [own, other]), { created: [own], gone: [] })
  })

  it('has no change be told of a session whose end has been told', () => {
    const sessions = complete(followed(), [own, other])

    sessions.note('removed', userId, other)
    assert.equal(sessions.note('patched', userId, other), false)
    assert.deepEqual(sessions.compare(userId, [own]), { created: [], gone: [] })
    // Of one that was not read yet nothing of the kind is known
    assert.equal(followed().note('patched', userId, other), true)
  })

  it('is another once it was forgotten and is told anew: what was read before is older', () => {
    const sessions = followed()
    const before = sessions.version(userId)

    sessions.unfollow(userId)
    sessions.follow(userId, other)
    assert.notEqual(sessions.version(userId), before)
  })

  it('is asked for anew by a connection of a session that is not among all of them', () => {
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
