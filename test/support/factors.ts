import assert from 'node:assert/strict'
import { Secret, TOTP } from 'otpauth'
import type { Settings, TestApp } from './app.js'
import { newPerson, type Person } from './people.js'
import { restClient, type Answer } from './rest.js'

export const factorSecret = 'not a secret: factors of the tests'

/** Settings with which there are factors. */
export const withFactors = (more: Settings = {}): Settings => ({
  ...more,
  authentication: {
    authStrategies: ['jwt', 'local', 'refresh-token', 'totp', 'recovery-code'],
    factors: { secret: factorSecret },
    ...(more.authentication as Settings | undefined)
  }
})

const period = 30_000 // ms

/** An app for codes, by another library than the service's. */
export function authenticator(t: Pick<TestApp, 'clock'>, secret: string) {
  const totp = new TOTP({ secret: Secret.fromBase32(secret), algorithm: 'SHA1', digits: 6, period: 30 })

  return {
    /** The code of now, or of so many steps later. */
    code: (steps = 0) => totp.generate({ timestamp: t.clock.now + steps * period }),
    /** The code of now, which has not been used: time goes on by a step. */
    next() {
      t.clock.advance(period)
      return totp.generate({ timestamp: t.clock.now })
    }
  }
}

export type Authenticator = ReturnType<typeof authenticator>

/** Somebody with an app for codes. */
export interface Guarded {
  person: Person
  app: Authenticator
  /** The id of the factor. */
  id: string
  recoveryCodes: string[]
}

/** Adds an app for codes by the service `factors`. */
export async function enrol(
  t: TestApp,
  person: Pick<Person, 'ask'>,
  token?: string
): Promise<Omit<Guarded, 'person'>> {
  const by = token === undefined ? {} : { token }
  const begun = await person.ask('POST', '/factors', { body: { kind: 'totp' }, ...by })

  assert.equal(begun.status, 201, JSON.stringify(begun.body))

  const app = authenticator(t, begun.body.secret)
  const { status, body } = await person.ask('PATCH', `/factors/${begun.body.id}`, {
    body: { code: app.code() },
    ...by
  })

  assert.equal(status, 200, JSON.stringify(body))
  return { app, id: body.id, recoveryCodes: body.recoveryCodes }
}

/** Somebody new with an app for codes. */
export async function newGuarded(t: TestApp): Promise<Guarded> {
  const person = await newPerson(t)

  return { person, ...(await enrol(t, person)) }
}

/** What tests of factors do. */
export function factorClient(address: string) {
  const client = restClient(address)
  const answer = (strategy: string, challenge: string, code: string, more: object = {}): Promise<Answer> =>
    client.authenticate({ strategy, challenge, code, ...more })

  return {
    client,
    /** Signs in by the password alone: the challenge. */
    async challenge(email: string, more: object = {}): Promise<string> {
      const { status, body } = await client.signIn(email, more)

      assert.equal(status, 401, JSON.stringify(body))
      assert.equal(body.data.reason, 'factor')
      return body.data.challenge
    },
    totp: (challenge: string, code: string, more?: object) => answer('totp', challenge, code, more),
    recover: (challenge: string, code: string, more?: object) =>
      answer('recovery-code', challenge, code, more),
    /** Gives a factor again, with an access token. */
    stepUp: (token: string, request: object) =>
      client.ask('POST', '/authentication', { token, body: { stepUp: true, ...request } })
  }
}
