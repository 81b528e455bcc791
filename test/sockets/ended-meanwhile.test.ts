import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SessionStore } from '../../src/refresh-token/index.js'
import { withApp } from '../support/app.js'
import { restClient } from '../support/rest.js'

/** Ends the session just when it has been found to live: a moment that no client can hit on purpose. */
function endOnceFound(sessions: SessionStore): void {
  const find = sessions.find.bind(sessions)

  sessions.find = async (userId, id) => {
    const found = await find(userId, id)

    await sessions.end(userId, id, 'revoked')
    return found
  }
}

describe('a connection whose session ends between the last look at it and its sign-in', () => {
  it('is not signed in', () =>
    withApp({}, async ({ app, address }) => {
      const { accessToken, authentication, user } = await restClient(address).newLogin()
      const service = app.service('authentication')
      const connection = { provider: 'socketio', headers: {} }

      endOnceFound(service.sessions)

      await assert.rejects(
        service.handleConnection('login', connection, { accessToken, authentication, user }),
        { code: 401, data: { reason: 'revoked' } }
      )
      assert.deepEqual(connection, { provider: 'socketio', headers: {} })
    }))
})
