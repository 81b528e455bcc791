import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { TestApp } from '../../support/app.js'
import type { Authenticator, Oddities } from '../../support/authenticator.js'
import { browser } from '../../support/browser.js'
import { enrol, factorClient } from '../../support/factors.js'
import { passkeyAccounts, startPasskeyApp } from '../../support/passkeys.js'
import { newPerson, stored, type Person } from '../../support/people.js'
import { rounds } from '../../support/race.js'
import { atOnce, outcome, password, tally, type Answer } from '../../support/rest.js'
import { connect } from '../../support/socket.js'

let t: TestApp
let accounts: ReturnType<typeof passkeyAccounts>
let factors: ReturnType<typeof factorClient>

const authStrategies = ['jwt', 'local', 'refresh-token', 'passkey', 'totp', 'recovery-code']

before(async () => {
  t = await startPasskeyApp({ settings: { authentication: { authStrategies } } })
  accounts = passkeyAccounts(t)
  factors = factorClient(t.address)
})
after(() => t.stop())

const sessionsOf = async ({ email }: Person) => (await stored(t, email)).sessions.length

/** Answers a challenge of the gate with a passkey. */
async function giveFactor(
  gate: string,
  device: Authenticator,
  { oddities = {}, ...more }: { oddities?: Oddities; device?: object; cookie?: boolean } = {}
): Promise<Answer> {
  const { id, options } = await accounts.challenge('factor', { challenge: gate })

  return accounts.use(id, device.get(options, oddities), more)
}

/** Steps up with a passkey. */
async function stepUp(person: Pick<Person, 'ask'>, device: Authenticator, oddities: Oddities = {}) {
  const { id, options } = await accounts.challengeFor(person, 'step-up')
  const response = device.get(options, oddities)

  return person.ask('POST', '/authentication', {
    body: { strategy: 'passkey', challenge: id, response, stepUp: true }
  })
}

describe('a passkey at the gate', () => {
  it('completes a sign-in by the password', async () => {
    const { person, device } = await accounts.owner()
    const gate = await factors.challenge(person.email, { device: { id: 'phone' } })
    const { status, body } = await giveFactor(gate, device, { device: { id: 'phone' } })

    assert.equal(status, 201)
    assert.equal(body.session.strategy, 'local')
    assert.equal(body.session.device.id, 'phone')
    assert.deepEqual(body.authentication.payload.amr, ['pwd', 'pop', 'user', 'mfa'])
    assert.equal((await accounts.client.refresh(body.refreshToken)).status, 201)
  })

  it('completes it without verification of the user, which never signs in by itself', async () => {
    const { person, device } = await accounts.owner()
    const gate = await factors.challenge(person.email)
    const { status, body } = await giveFactor(gate, device, { oddities: { uv: false } })

    assert.equal(status, 201)
    assert.deepEqual(body.authentication.payload.amr, ['pwd', 'pop', 'mfa'])
    assert.equal(outcome(await accounts.signIn(device, { uv: false })), '401 invalid')
  })

  it('signs in alone once it has verified its user beside another factor, if it never did before', async () => {
    const person = await newPerson(t)
    const key = accounts.device()

    assert.equal((await accounts.add(person, key, { oddities: { uv: false } })).status, 201)
    assert.equal(outcome(await accounts.signIn(key)), '401 invalid', 'a PIN that its finder may have set')

    const without = await giveFactor(await factors.challenge(person.email), key, { oddities: { uv: false } })

    assert.equal(without.status, 201)
    assert.equal(outcome(await accounts.signIn(key)), '401 invalid')
    assert.equal((await giveFactor(await factors.challenge(person.email), key)).status, 201)
    assert.equal((await accounts.signIn(key)).status, 201)
  })

  it('is asked for with the passkeys of the user, and needs no handle then', async () => {
    const { person, device } = await accounts.owner()
    const gate = await factors.challenge(person.email)
    const { options } = await accounts.challenge('factor', { challenge: gate })

    assert.deepEqual(
      options.allowCredentials.map(({ id }: { id: string }) => id),
      [device.passkeys[0]!.credentialId]
    )
    assert.equal(options.userVerification, 'preferred')
    assert.equal((await giveFactor(gate, device, { oddities: { userHandle: undefined } })).status, 201)
  })

  it('passes it alone, where the user has an app for codes, too', async () => {
    const { person, device } = await accounts.owner()

    await enrol(t, person)

    const { status, body } = await accounts.signIn(device)

    assert.equal(status, 201)
    assert.equal(body.session.strategy, 'passkey')
    assert.deepEqual(body.authentication.payload.amr, ['pop', 'user', 'mfa'])
  })

  it('takes a challenge of the gate, and what it was made for, once', async () => {
    await rounds(async () => {
      const { person, device } = await accounts.owner()
      const before = await sessionsOf(person)
      const gate = await factors.challenge(person.email)
      const answers = await atOnce(20, () => giveFactor(gate, device))

      assert.equal(tally(answers)['201'], 1)
      assert.equal(tally(answers)['401 expired'], 19)
      assert.equal(await sessionsOf(person), before + 1)
    })
  })

  it('is not for a challenge of another user, or of another device', async () => {
    const [ada, eve] = [await accounts.owner(), await accounts.owner()]
    const gate = await factors.challenge(ada.person.email, { device: { id: 'phone' } })
    const { id, options } = await accounts.challenge('factor', { challenge: gate })
    const phone = { device: { id: 'phone' } }

    const allowed = { ...options, allowCredentials: undefined }

    assert.equal(outcome(await accounts.use(id, eve.device.get(allowed), phone)), '401 invalid')
    assert.equal(outcome(await accounts.use(id, ada.device.get(options))), '401 invalid')
    assert.equal((await accounts.use(id, ada.device.get(options), phone)).status, 201)
  })

  it('is not for a challenge from before a change of the password', async () => {
    const { person, device } = await accounts.owner()
    const gate = await factors.challenge(person.email)
    const { id, options } = await accounts.challenge('factor', { challenge: gate })
    const changed = await person.ask('PATCH', `/users/${person.id}`, {
      body: { password: 'another horse battery', currentPassword: password }
    })

    assert.equal(changed.status, 200)
    assert.equal(outcome(await accounts.use(id, device.get(options))), '401 expired')

    const asked = await accounts.client.ask('POST', '/passkey-challenges', {
      body: { purpose: 'factor', challenge: gate }
    })

    assert.equal(outcome(asked), '401 expired')
  })

  it('takes none of a step-up or a sign-in with the challenge of the gate itself', async () => {
    const { person, device } = await accounts.owner()
    const gate = await factors.challenge(person.email)
    const { options } = await accounts.challenge('sign-in')
    const other = await accounts.challengeFor(person, 'step-up')

    assert.equal(outcome(await accounts.use(gate, device.get(options))), '401 invalid')
    assert.equal(outcome(await accounts.use(other.id, device.get(other.options))), '401 expired')

    for (const challenge of ['made.up', other.id]) {
      const asked = await accounts.client.ask('POST', '/passkey-challenges', {
        body: { purpose: 'factor', challenge }
      })

      assert.equal(outcome(asked), '401 invalid')
    }

    const missing = await accounts.client.ask('POST', '/passkey-challenges', { body: { purpose: 'factor' } })

    assert.equal(missing.status, 400)
    assert.deepEqual(
      missing.body.errors.map(({ field }: { field: string }) => field),
      ['challenge']
    )
  })

  it('is not answered by a passkey that was removed meanwhile', async () => {
    await rounds(async () => {
      const { person, device, passkey } = await accounts.owner()
      const gate = await factors.challenge(person.email)
      const { id, options } = await accounts.challenge('factor', { challenge: gate })
      const [removed, given] = await Promise.all([
        person.ask('DELETE', `/passkeys/${passkey.id}`),
        accounts.use(id, device.get(options))
      ])

      assert.equal(removed.status, 200)
      assert.ok([201, 401].includes(given.status))
      // With the factors of then, the challenge is void
      assert.notEqual(outcome(await accounts.use(id, device.get(options))), '201')
    })
  })

  it('gives its session the cookie that the first step asked for', async () => {
    const cookies = await startPasskeyApp({
      settings: { authentication: { 'refresh-token': { cookie: {} } } }
    })
    const there = passkeyAccounts(cookies)
    const { person, device } = await there.owner()
    const page = browser(cookies.address)
    const refused = await page.signIn(person.email)

    assert.equal(outcome(refused), '401 factor')

    const { id, options } = await there.challenge('factor', { challenge: refused.body.data.challenge })
    const { status, body } = await page.ask('POST', '/authentication', {
      body: { strategy: 'passkey', challenge: id, response: device.get(options) }
    })

    assert.equal(status, 201)
    assert.equal(body.refreshToken, undefined)
    assert.equal(page.cookies.size, 1)
    assert.equal((await page.refresh()).status, 201)
    await cookies.stop()
  })
})

describe('a step-up with a passkey', () => {
  const tooLate = 10 * 60_000 + 1000

  it('raises the session at hand, and no other', async () => {
    const { person, device } = await accounts.owner()

    t.clock.advance(tooLate)

    const before = await sessionsOf(person)
    const ask = () => person.ask('POST', '/passkey-challenges', { body: { purpose: 'register' } })

    assert.equal(outcome(await ask()), '401 step-up')

    const { status, body } = await stepUp(person, device)

    assert.equal(status, 201)
    assert.equal(body.refreshToken, undefined)
    assert.equal(body.session.id, person.session.id)
    assert.equal(await sessionsOf(person), before)
    assert.equal(outcome(await ask()), '401 step-up', 'a call is judged by its own token')
    assert.equal(
      (
        await accounts.client.ask('POST', '/passkey-challenges', {
          body: { purpose: 'register' },
          token: body.accessToken
        })
      ).status,
      201
    )
  })

  it('counts without verification of the user', async () => {
    const { person, device } = await accounts.owner()

    t.clock.advance(tooLate)

    const { status, body } = await stepUp(person, device, { uv: false })

    assert.equal(status, 201)
    assert.deepEqual(body.authentication.payload.amr, ['pop'])
  })

  it('is made over a socket', async () => {
    const { person, device } = await accounts.owner()
    const socket = await connect(t.address)

    await socket.call('create', 'authentication', { strategy: 'jwt', accessToken: person.accessToken })

    const { id, options }: any = await socket.call('create', 'passkey-challenges', { purpose: 'step-up' })
    const answer: any = await socket.call('create', 'authentication', {
      strategy: 'passkey',
      challenge: id,
      response: device.get(options),
      stepUp: true
    })

    socket.close()
    assert.equal(answer.session.id, person.session.id)
  })

  it('is not for another user, nor with a challenge of another', async () => {
    const [ada, eve] = [await accounts.owner(), await accounts.owner()]
    const own = await accounts.challengeFor(ada.person, 'step-up')
    const use = (person: Person, challenge: string, response: object) =>
      person.ask('POST', '/authentication', {
        body: { strategy: 'passkey', challenge, response, stepUp: true }
      })

    assert.equal(outcome(await use(eve.person, own.id, ada.device.get(own.options))), '401 invalid')
    assert.equal(
      outcome(await use(eve.person, own.id, eve.device.get({ ...own.options, allowCredentials: undefined }))),
      '401 invalid'
    )
    assert.equal(
      outcome(await accounts.use(own.id, ada.device.get(own.options), { stepUp: true })),
      '401 invalid'
    )
    assert.equal((await use(ada.person, own.id, ada.device.get(own.options))).status, 201)
    assert.equal(outcome(await use(ada.person, own.id, ada.device.get(own.options))), '401 expired')
  })

  it('takes no challenge for a sign-in', async () => {
    const { person, device } = await accounts.owner()
    const { id, options } = await accounts.challenge('sign-in')
    const answer = await person.ask('POST', '/authentication', {
      body: { strategy: 'passkey', challenge: id, response: device.get(options), stepUp: true }
    })

    assert.equal(outcome(answer), '401 expired')
  })

  it('stops whoever has stolen an access token', async () => {
    const { person } = await accounts.owner()

    t.clock.advance(tooLate)

    const refused = await Promise.all([
      person.ask('POST', '/passkey-challenges', { body: { purpose: 'register' } }),
      person.ask('DELETE', '/passkeys/any')
    ])

    for (const answer of refused) {
      assert.equal(outcome(answer), '401 step-up')
      assert.equal(answer.body.data.within, 600)
      assert.deepEqual(answer.body.data.factors, ['recovery-code', 'passkey'])
    }
  })
})

describe('removing a passkey', () => {
  it('takes it out of all that it could do', async () => {
    const { person, device, passkey } = await accounts.owner()
    const { status, body } = await person.ask('DELETE', `/passkeys/${passkey.id}`)

    assert.equal(status, 200)
    assert.equal(body.id, passkey.id)
    assert.deepEqual((await person.ask('GET', '/passkeys')).body, [])
    assert.equal(outcome(await accounts.signIn(device)), '401 invalid')
    assert.equal((await accounts.client.signIn(person.email)).status, 201)
    assert.equal((await stored(t, person.email)).recoveryCodes, undefined)
    assert.equal((await person.ask('DELETE', `/passkeys/${passkey.id}`)).status, 404)
  })

  it('is for its owner', async () => {
    const { passkey } = await accounts.owner()
    const { person: eve } = await accounts.owner()
    const answers = await Promise.all(
      [passkey.id, 'unknown'].map((id) => eve.ask('DELETE', `/passkeys/${id}`))
    )

    assert.deepEqual(
      answers.map(({ status }) => status),
      [404, 404]
    )
    assert.deepEqual(answers[0]!.body, answers[1]!.body)
  })

  /** Someone without a password. */
  async function withoutPassword(count: number) {
    const device = accounts.device()
    const { id, options } = await accounts.challenge('sign-up')
    const email = `${crypto.randomUUID()}@example.com`
    const { body } = await accounts.client.ask('POST', '/users', {
      body: { email, passkey: { challenge: id, response: device.create(options) } }
    })
    const person = await accounts.signedIn({ email, id: body._id } as Person, device)

    for (let index = 1; index < count; index++) {
      assert.equal((await accounts.add(person, accounts.device())).status, 201)
    }

    const listed: { id: string }[] = (await person.ask('GET', '/passkeys')).body

    return { person, device, ids: listed.map(({ id }) => id) }
  }

  it('leaves the last way in to the account', async () => {
    const { person, ids, device } = await withoutPassword(1)

    for (const path of ['passkeys', 'factors']) {
      assert.equal((await person.ask('DELETE', `/${path}/${ids[0]}`)).status, 409)
    }

    // One that never signs in by itself is none
    assert.equal((await accounts.add(person, accounts.device(), { oddities: { uv: false } })).status, 201)
    assert.equal((await person.ask('DELETE', `/passkeys/${ids[0]}`)).status, 409)

    assert.equal((await accounts.add(person, accounts.device())).status, 201)
    assert.equal((await person.ask('DELETE', `/passkeys/${ids[0]}`)).status, 200)
    assert.equal(outcome(await accounts.signIn(device)), '401 invalid')
  })

  it('leaves one of several that are removed at once', async () => {
    await rounds(async () => {
      const { person, ids } = await withoutPassword(4)
      const answers = await Promise.all(
        ids.map((id, index) => person.ask('DELETE', `/${index % 2 ? 'factors' : 'passkeys'}/${id}`))
      )

      assert.deepEqual(tally(answers), { '200': 3, '409': 1 })
      assert.equal((await person.ask('GET', '/passkeys')).body.length, 1)
    })
  })

  it('removes the last one once there is a password', async () => {
    const { person, ids } = await withoutPassword(1)
    const set = await person.ask('PATCH', `/users/${person.id}`, { body: { password } })

    assert.equal(set.status, 200)
    assert.equal((await person.ask('DELETE', `/passkeys/${ids[0]}`)).status, 200)
    assert.equal((await accounts.client.signIn(person.email)).status, 201)
  })
})

describe('the first factor', () => {
  it('is a step-up when it is added, which a refresh tells', async () => {
    for (const [uv, amr] of [
      [true, ['pop', 'user', 'mfa']],
      [false, ['pop']]
    ] as const) {
      const person = await newPerson(t)

      assert.equal((await accounts.add(person, accounts.device({ uv }))).status, 201)

      const { body } = await accounts.client.refresh(person.refreshToken)

      assert.deepEqual(body.authentication.payload.amr, amr)
      assert.equal(
        (
          await person.ask('POST', '/factors', {
            body: { kind: 'recovery-codes' },
            token: body.accessToken
          })
        ).status,
        201
      )
    }
  })

  it('ends the other sessions of the user', async () => {
    const person = await newPerson(t)
    const other = await person.signIn()

    assert.equal((await accounts.add(person, accounts.device())).status, 201)
    assert.equal(outcome(await accounts.client.refresh(other.refreshToken)), '401 revoked')
    assert.equal((await person.ask('GET', '/sessions')).status, 200)
  })

  it('is one, however many are added at once', async () => {
    await rounds(async () => {
      const person = await newPerson(t)
      const challenges = await atOnce(5, () => accounts.challengeFor(person, 'register'))
      const answers = await Promise.all(
        challenges.map(({ id, options }) =>
          person.ask('POST', '/passkeys', {
            body: { challenge: id, response: accounts.device().create(options) }
          })
        )
      )

      assert.deepEqual(tally(answers), { '201': 5 })
      assert.equal(answers.filter(({ body }) => body.recoveryCodes).length, 1)
    })
  })

  it('opens no session without it, in a race with a sign-in by the password', async () => {
    await rounds(async () => {
      const person = await newPerson(t)
      const { id, options } = await accounts.challengeFor(person, 'register')
      const body = { challenge: id, response: accounts.device().create(options) }
      const [added, signIns] = await Promise.all([
        person.ask('POST', '/passkeys', { body }),
        atOnce(8, () => accounts.client.signIn(person.email))
      ])

      assert.equal(added.status, 201)

      // Whoever was faster was signed out by it
      for (const answer of signIns) {
        const isOut =
          answer.status === 401 ||
          (await accounts.client.refresh(answer.body.refreshToken)).body.data?.reason === 'revoked'

        assert.ok(isOut, outcome(answer))
      }
    })
  })
})
