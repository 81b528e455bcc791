import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KnownSessions } from '../../src/refresh-token/known-sessions.js'
import { newSessionId, type SessionRecord } from '../../src/refresh-token/session.js'

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
    const known = new KnownSessions()

    known.follow(userId, own)
    return known
  }
  const complete = (known: KnownSessions, read: SessionRecord[]) => {
    known.compare(userId, read)
    return known
  }

  it('is not kept of users without connections', () => {
    const known = new KnownSessions()

    assert.equal(known.note('removed', userId, own), true)
    assert.equal(known.version(userId), undefined)
  })

  it('has an end be told also of a session that was not read yet', () => {
    assert.equal(followed().note('removed', userId, other), true)
  })

  it('has an end be told once, as soon as all sessions are known', () => {
    const known = complete(followed(), [own, other])

    assert.deepEqual(
      [1, 2].map(() => known.note('removed', userId, other)),
      [true, false]
    )
  })

  it('has a beginning be told once, and each change', () => {
    const known = complete(followed(), [own])
    const told = (['created', 'created', 'patched', 'patched'] as const).map((event) =>
      known.note(event, userId, other)
    )

    assert.deepEqual(told, [true, false, true, true])
  })

  it('takes for gone what is not there, and for created what is new once all are known', () => {
    const known = followed()

    assert.deepEqual(known.compare(userId, [other]), { created: [], gone: [own] })
    assert.deepEqual(known.compare(userId, [own, other]), { created: [], gone: [] })
    known.note('removed', userId, own)
    assert.deepEqual(known.compare(userId, [own, other]), { created: [own], gone: [] })
  })

  it('has no change be told of a session whose end has been told', () => {
    const known = complete(followed(), [own, other])

    known.note('removed', userId, other)
    assert.equal(known.note('patched', userId, other), false)
    assert.deepEqual(known.compare(userId, [own]), { created: [], gone: [] })
    // Of one that was not read yet nothing of the kind is known
    assert.equal(followed().note('patched', userId, other), true)
  })

  it('is another once it was forgotten and is told anew: what was read before is older', () => {
    const known = followed()
    const before = known.version(userId)

    known.unfollow(userId)
    known.follow(userId, other)
    assert.notEqual(known.version(userId), before)
  })

  it('is asked for anew by a connection of a session that is not among all of them', () => {
    const known = complete(followed(), [own])

    assert.deepEqual([known.follow(userId, own), known.follow(userId, other)], [false, true])
  })

  it('is forgotten with the last connection', () => {
    const known = followed()

    known.follow(userId, own)
    known.unfollow(userId)
    assert.deepEqual(known.userIds, [userId])
    known.unfollow(userId)
    assert.deepEqual(known.userIds, [])
  })
})
