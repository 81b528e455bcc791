import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AuthenticationService } from '../../src/refresh-token/index.js'
import { withApp } from '../support/app.js'
import { restClient } from '../support/rest.js'

/** Ends the session just after it was found: a moment that no client can hit on purpose. */
function endOnceFound({ live, sessions }: AuthenticationService): void {
  const find = live.find.bind(live)

  live.find = async (userId, id) => {
    const found = await find(userId, id)

    await sessions.end(userId, id, 'revoked')
    return found
  }
}

describe('a connection whose session ends while it signs in', () => {
  it('is not signed in', () =>
    withApp({}, async ({ app, address }) => {
      const { accessToken, authentication, user } = await restClient(address).newLogin()
      const service = app.service('authentication')
      const connection = { provider: 'socketio', headers: {} }

      endOnceFound(service)

      await assert.rejects(
        service.handleConnection('login', connection, { accessToken, authentication, user }),
        { code: 401, data: { reason: 'revoked' } }
      )
      assert.deepEqual(connection, { provider: 'socketio', headers: {} })
    }))
})
