import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../../support/app.js'
import { factorSecret } from '../../support/factors.js'
import { passkeyAccounts, startPasskeyApp } from '../../support/passkeys.js'
import { fieldsOf, newPerson, stored } from '../../support/people.js'
import { atOnce, outcome, restClient, tally } from '../../support/rest.js'
import { rounds } from '../../support/race.js'

let t: TestApp
let accounts: ReturnType<typeof passkeyAccounts>

before(async () => {
  t = await startPasskeyApp()
  accounts = passkeyAccounts(t)
})
after(() => t.stop())

describe('adding a passkey', () => {
  it('answers what its owner sees of it from then on', async () => {
    const person = await newPerson(t)
    const { status, body: added } = await accounts.add(person, accounts.device())

    assert.equal(status, 201)
    assert.deepEqual(Object.keys(added), ['id', 'name', 'createdAt', 'recoveryCodes'])
    assert.equal(added.createdAt, new Date(t.clock.now).toISOString())
    assert.equal(added.recoveryCodes.length, 10)

    const { recoveryCodes: _recoveryCodes, ...passkey } = added

    assert.deepEqual((await person.ask('GET', '/passkeys')).body, [passkey])
  })

  it('gives it a name, which can be changed', async () => {
    const person = await newPerson(t)
    const { body } = await accounts.add(person, accounts.device(), { name: 'Laptop' })

    assert.equal(body.name, 'Laptop')

    const renamed = await person.ask('PATCH', `/passkeys/${body.id}`, { body: { name: 'Work' } })

    assert.equal(renamed.status, 200)
    assert.deepEqual(renamed.body, (await person.ask('GET', '/passkeys')).body[0])
    assert.equal(renamed.body.name, 'Work')
  })

  it('keeps one random handle for the account', async () => {
    const { person } = await accounts.owner()
    const challenges = await atOnce(20, () => accounts.challengeFor(person, 'register'))
    const handles = new Set(challenges.map(({ options }) => options.user.id))
    const { passkeyHandle } = await stored(t, person.email)

    assert.deepEqual([...handles], [passkeyHandle])
    assert.equal(Buffer.from(passkeyHandle, 'base64url').length, 64)
  })

  it('makes one handle, however many ask at first', async () => {
    await rounds(async () => {
      const person = await newPerson(t)
      const challenges = await atOnce(20, () => accounts.challengeFor(person, 'register'))

      assert.equal(new Set(challenges.map(({ options }) => options.user.id)).size, 1)
    })
  })

  it('tells the authenticator what the account has already', async () => {
    const { person, device } = await accounts.owner()
    const { options } = await accounts.challengeFor(person, 'register')

    assert.deepEqual(
      options.excludeCredentials.map(({ id }: { id: string }) => id),
      [device.passkeys[0]!.credentialId]
    )
    assert.equal(options.user.name, person.email)
  })

  it('takes a challenge once', async () => {
    const person = await newPerson(t)
    const { id, options } = await accounts.challengeFor(person, 'register')
    const add = (index = 0) =>
      person.ask('POST', '/passkeys', {
        body: { challenge: id, response: accounts.device().create(options), name: `${index}` }
      })

    assert.deepEqual(tally(await atOnce(20, add)), { '201': 1, '400 expired': 19 })
    assert.equal(outcome(await add()), '400 expired')
    assert.equal((await person.ask('GET', '/passkeys')).body.length, 1)
  })

  it('takes a challenge for five minutes', async () => {
    const person = await newPerson(t)
    const { id, options } = await accounts.challengeFor(person, 'register')
    const late = await accounts.challengeFor(person, 'register')
    const add = (challenge: string, options: any) =>
      person.ask('POST', '/passkeys', { body: { challenge, response: accounts.device().create(options) } })

    t.clock.advance(5 * 60_000 - 1)
    assert.equal((await add(id, options)).status, 201)
    t.clock.advance(1)
    assert.equal(outcome(await add(late.id, late.options)), '400 expired')
  })

  it('takes no challenge of another purpose, of another user, or of nobody', async () => {
    const [ada, eve] = [await newPerson(t), await newPerson(t)]
    const own = await accounts.challengeFor(ada, 'register')
    const add = (challenge: string, options: any) =>
      eve.ask('POST', '/passkeys', { body: { challenge, response: accounts.device().create(options) } })

    const signUp = await accounts.challenge('sign-up')

    assert.equal(outcome(await add(own.id, own.options)), '400 invalid')
    assert.equal(outcome(await add(signUp.id, signUp.options)), '400 expired')
    assert.equal(outcome(await add('made.up', own.options)), '400 invalid')
    assert.equal(outcome(await add(`${own.id}.more`, own.options)), '400 invalid')
  })

  it('refuses what is wrong with a 400, and says no more than that', async () => {
    const person = await newPerson(t)

    for (const oddities of [
      { origin: 'https://evil.example' },
      { origin: t.address.replace('http:', 'https:') },
      { rpId: 'evil.example' },
      { up: false },
      { crossOrigin: true }
    ]) {
      const answer = await accounts.add(person, accounts.device(), { oddities })

      assert.equal(outcome(answer), '400 invalid')
      assert.equal(answer.body.message, 'The passkey is not valid')
    }
  })

  it('names the field of a malformed request', async () => {
    const person = await newPerson(t)
    const { id, options } = await accounts.challengeFor(person, 'register')
    const response: any = accounts.device().create(options)

    for (const [body, field] of [
      [{ response }, 'challenge'],
      [{ challenge: id }, 'response'],
      [{ challenge: id, response: { ...response, id: 7 } }, 'response.id'],
      [{ challenge: id, response: { ...response, response: {} } }, 'response.response.clientDataJSON'],
      [{ challenge: id, response, name: '' }, 'name'],
      [{ challenge: id, response, kind: 'passkey' }, 'kind']
    ] as [object, string][]) {
      const answer = await person.ask('POST', '/passkeys', { body })

      assert.equal(answer.status, 400)
      assert.ok(
        fieldsOf(answer).some((name) => name.startsWith(field)),
        fieldsOf(answer).join()
      )
    }
  })

  it('refuses a passkey that is known, of the account or of another', async () => {
    const { person, device } = await accounts.owner()
    const { credentialId } = device.passkeys[0]!
    const eve = await newPerson(t)

    for (const who of [person, eve]) {
      const again = await accounts.add(who, accounts.device(), { oddities: { credentialId } })

      assert.equal(again.status, 409)
      assert.equal(again.body.message, 'The passkey is known already')
    }
  })

  it('gives a passkey that two accounts register at once to one of them', async () => {
    await rounds(async () => {
      const people = await atOnce(6, () => newPerson(t))
      const credentialId = Buffer.from(`credential ${Math.random()}`).toString('base64url')
      const answers = await Promise.all(
        people.map((person) => accounts.add(person, accounts.device(), { oddities: { credentialId } }))
      )

      assert.deepEqual(tally(answers), { '201': 1, '409': 5 })
    })
  })

  it('stops at twenty', async () => {
    const person = await newPerson(t)
    const challenges = await atOnce(25, () => accounts.challengeFor(person, 'register'))
    const answers = await Promise.all(
      challenges.map(({ id, options }) =>
        person.ask('POST', '/passkeys', {
          body: { challenge: id, response: accounts.device().create(options) }
        })
      )
    )

    assert.deepEqual(tally(answers), { '201': 20, '409': 5 })
    // One of them was the first
    assert.equal(answers.filter(({ body }) => body.recoveryCodes).length, 1)
  })

  it('is for who is signed in', async () => {
    const { status, body } = await accounts.client.ask('POST', '/passkeys', { body: {} })

    assert.equal(status, 401)
    assert.equal(body.data?.reason, undefined)

    for (const purpose of ['register', 'step-up']) {
      const asked = await accounts.client.ask('POST', '/passkey-challenges', { body: { purpose } })

      assert.equal(asked.status, 401)
    }
  })
})

describe('another’s passkeys', () => {
  it('are as unknown as any', async () => {
    const { passkey } = await accounts.owner()
    const eve = await newPerson(t)
    const answers = await Promise.all(
      [passkey.id, 'unknown'].map((id) => eve.ask('PATCH', `/passkeys/${id}`, { body: { name: 'Mine' } }))
    )

    assert.deepEqual(
      answers.map(({ status }) => status),
      [404, 404]
    )
    assert.deepEqual(answers[0]!.body, answers[1]!.body)
    assert.deepEqual((await eve.ask('GET', '/passkeys')).body, [])
  })
})

describe('the service', () => {
  const passkey = { rpId: 'localhost', rpName: 'Moult', origins: ['http://localhost'] }
  const authentication = {
    authStrategies: ['jwt', 'local', 'refresh-token', 'passkey'],
    factors: { secret: factorSecret }
  }

  it('does not start with passkeys for no page', async () => {
    await assert.rejects(startApp({ settings: { authentication } }), {
      name: 'ConfigurationError',
      message: /^authentication\.passkey is missing, but authStrategies names "passkey": /
    })
  })

  it('limits challenges by client', async () => {
    const limit = { limit: 3, per: '1m' }
    const off = { account: false, address: false }
    const rateLimit = { signIn: { ...off, address: limit }, signUp: false, refresh: false, mail: false }

    await withApp(
      { settings: { rateLimit, authentication: { ...authentication, passkey } } },
      async (there) => {
        const client = restClient(there.address)
        const ask = () => client.ask('POST', '/passkey-challenges', { body: { purpose: 'sign-in' } })
        const answers = await atOnce(5, ask)

        assert.deepEqual(tally(answers), { '201': 3, '429': 2 })
        assert.ok(answers.find(({ status }) => status === 429)!.headers.has('Retry-After'))
      }
    )
  })
})

describe('the challenges of strangers', () => {
  it('are the same for everybody', async () => {
    const [first, second] = [await accounts.challenge('sign-in'), await accounts.challenge('sign-in')]

    assert.deepEqual(Object.keys(first), ['id', 'options'])
    assert.notEqual(first.options.challenge, second.options.challenge)
    assert.deepEqual(
      { ...first.options, challenge: undefined },
      { challenge: undefined, rpId: 'localhost', timeout: 300_000, userVerification: 'required' }
    )
  })

  it('leave nothing in the database', async () => {
    await accounts.challenge('sign-in')
    await accounts.challenge('sign-up')

    const before = await t.db.collection('passkeyChallenges').countDocuments()

    await accounts.challenge('sign-in')
    assert.equal(await t.db.collection('passkeyChallenges').countDocuments(), before)
  })
})
