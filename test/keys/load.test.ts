import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as after } from 'node:timers/promises'
import { tokenLife } from '../../src/keys/report.js'
import { rotateKeys } from '../../src/keys/rotation.js'
import { generateKey, type Algorithm } from '../../src/refresh-token/keys/signing-key.js'
import { withApp, type TestApp } from '../support/app.js'
import { fromFile, newSecret, withKeyFile } from '../support/keys.js'
import { newPerson, type Person } from '../support/people.js'
import { atOnce, restClient, tally, type Answer } from '../support/rest.js'

const minute = 60_000
const pace = 20 // ms of real time for half a minute of the apps'

/** Two apps over one database and one key file. */
const withTwoApps = (
  algorithm: Algorithm,
  settings: object,
  work: (apps: [TestApp, TestApp], file: string) => Promise<void>
) =>
  withKeyFile(
    (file) =>
      withApp({ settings: fromFile(file, { algorithm, ...settings }) }, (one) =>
        withApp(
          { settings: fromFile(file, { algorithm, ...settings }), database: one.db.databaseName },
          (other) => work([one, other], file)
        )
      ),
    { accessToken: generateKey(algorithm), refreshToken: newSecret() }
  )

/** Someone who refreshes on the one app and calls the other, by turns, till told to stop. */
async function client(
  [one, other]: [TestApp, TestApp],
  person: Person,
  answers: Answer[],
  stopped: () => boolean
) {
  let { accessToken, refreshToken } = person

  for (let turn = 0; !stopped(); turn++) {
    const [here, there] = turn % 2 === 0 ? [one, other] : [other, one]
    const refreshed = await restClient(here.address).refresh(refreshToken)

    answers.push(refreshed)
    ;({ accessToken, refreshToken } = refreshed.body)

    for (const { address } of [there, here]) {
      answers.push(await restClient(address).ask('GET', '/content/user', { token: accessToken }))
    }
    if (refreshed.status !== 201) {
      return
    }
  }
}

/** Rotates under load; answers how the calls went, and what was dropped. */
async function rotateUnderLoad(
  apps: [TestApp, TestApp],
  file: string,
  { times, leadTime }: { times: number; leadTime: number }
) {
  const { settings } = apps[0].app.service('authentication')
  const answers: Answer[] = []
  let stop = false
  let dropped = 0
  const people = await atOnce(8, () => newPerson(apps[0]))
  const clients = Promise.all(people.map((person) => client(apps, person, answers, () => stop)))

  for (let rotation = 0; rotation < times; rotation++) {
    const rotated = rotateKeys(file, {
      algorithm: settings.accessTokens.algorithm,
      life: { access: tokenLife('access', settings), refresh: tokenLife('refresh', settings) },
      now: apps[0].clock.now,
      leadTime
    })

    dropped += rotated.dropped.length

    // The clocks of two instances are never quite the same
    for (let half = 0; half < 12; half++) {
      for (const { clock } of rotation % 2 === 0 ? apps : apps.toReversed()) {
        await after(pace)
        clock.advance(minute / 2)
      }
    }
  }

  stop = true
  await clients
  return { outcomes: tally(answers), dropped }
}

describe('rotating keys under load', () => {
  for (const algorithm of ['HS256', 'ES256'] as const) {
    for (const leadTime of [10 * minute, 0]) {
      const lead = leadTime ? 'that verify before they sign' : 'that sign at once'

      it(`refuses no valid token: ${algorithm}, keys ${lead}`, (t) =>
        withTwoApps(algorithm, {}, async (apps, file) => {
          const { outcomes, dropped } = await rotateUnderLoad(apps, file, { times: 6, leadTime })

          t.diagnostic(`${JSON.stringify(outcomes)}, ${dropped} keys dropped`)
          assert.deepEqual(Object.keys(outcomes).sort(), ['200', '201'])
          assert.ok(dropped > 0)
        }))
    }
  }

  it('refuses no valid token of a session that keeps one, whose key is dropped with the last such token', () =>
    withTwoApps('HS256', { rotation: false, expiresIn: '1h' }, async (apps, file) => {
      const [one, other] = apps
      const { refreshToken } = await newPerson(one)
      const { dropped } = await rotateUnderLoad(apps, file, { times: 4, leadTime: 0 })
      const { settings } = one.app.service('authentication')
      const kids = () => [...settings.refreshTokens.keyring.byId.keys()]

      assert.ok(dropped > 0)
      assert.equal(kids().length, 5)
      assert.equal((await restClient(other.address).refresh(refreshToken)).body.refreshToken, refreshToken)

      for (const { clock } of apps) {
        clock.advance(62 * minute)
      }

      rotateKeys(file, {
        algorithm: 'HS256',
        life: { access: settings.accessLife, refresh: tokenLife('refresh', settings) },
        now: one.clock.now
      })
      assert.equal(kids().length, 2) // the one that signs, and the next
    }))
})
