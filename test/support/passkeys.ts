import assert from 'node:assert/strict'
import { merge, startApp, type Settings, type TestApp, type TestOptions } from './app.js'
import { authenticator, type Authenticator, type Oddities } from './authenticator.js'
import { newPerson, type Person } from './people.js'
import { freePort } from './process.js'
import { restClient, type Answer } from './rest.js'

/** The settings of a service with passkeys, for pages of that origin. */
export const withPasskeys = (origin: string): Settings => ({
  authentication: {
    authStrategies: ['jwt', 'local', 'refresh-token', 'passkey'],
    'refresh-token': { strategies: ['local', 'passkey'] },
    passkey: { rpId: 'localhost', rpName: 'Moult', origins: [origin] }
  }
})

/** Starts a service with passkeys, for pages of its own. */
export async function startPasskeyApp({ settings = {}, ...options }: TestOptions = {}): Promise<TestApp> {
  const port = await freePort()

  const own = { port, authentication: { factors: { secret: 'not a secret: factors of the tests' } } }

  return startApp({
    settings: [withPasskeys(`http://localhost:${port}`), own, settings].reduce(merge),
    ...options
  })
}

/** Someone with a password and a passkey. */
export interface PasskeyOwner {
  person: Person
  device: Authenticator
  /** As the service showed it when it was added. */
  // eslint-disable-next-line typescript/no-explicit-any -- a test reads what it expects
  passkey: any
  recoveryCodes: string[]
}

/** What tests of passkeys do, with an authenticator in software. */
export function passkeyAccounts(t: TestApp, origin = t.address) {
  const client = restClient(t.address)

  return {
    client,
    device: (settings?: Oddities) => authenticator(origin, settings),
    /** Asks for a challenge, for what anybody may do. */
    async challenge(purpose: string, more: object = {}) {
      const { status, body } = await client.ask('POST', '/passkey-challenges', { body: { purpose, ...more } })

      assert.equal(status, 201)
      return body
    },
    /** Asks for a challenge as somebody. */
    async challengeFor({ ask }: Pick<Person, 'ask'>, purpose: string) {
      const { status, body } = await ask('POST', '/passkey-challenges', { body: { purpose } })

      assert.equal(status, 201)
      return body
    },
    /** Adds a passkey to an account. */
    async add(
      person: Pick<Person, 'ask'>,
      device: Authenticator,
      { oddities = {}, ...more }: { oddities?: Oddities; name?: string } = {}
    ): Promise<Answer> {
      const { id, options } = await this.challengeFor(person, 'register')

      return person.ask('POST', '/passkeys', {
        body: { challenge: id, response: device.create(options, oddities), ...more }
      })
    },
    /** Someone with a password and a passkey, who has signed in with it. */
    async owner(settings?: Oddities): Promise<PasskeyOwner> {
      const person = await newPerson(t)
      const device = this.device(settings)
      const { status, body } = await this.add(person, device)

      assert.equal(status, 201)

      const { recoveryCodes, ...passkey } = body

      return { person: await this.signedIn(person, device), device, passkey, recoveryCodes }
    },
    /** Someone, from now on by a session that a passkey has opened. */
    async signedIn(person: Person, device: Authenticator): Promise<Person> {
      const { status, body } = await this.signIn(device)

      assert.equal(status, 201)
      return {
        ...person,
        ...body,
        ask: (method, path, more = {}) => client.ask(method, path, { token: body.accessToken, ...more })
      }
    },
    /** Signs in with a passkey. */
    async signIn(device: Authenticator, oddities: Oddities = {}, more: object = {}): Promise<Answer> {
      const { id, options } = await this.challenge('sign-in')

      return this.use(id, device.get(options, oddities), more)
    },
    /** Answers a challenge. */
    use: (challenge: string, response: object, more: object = {}): Promise<Answer> =>
      client.authenticate({ strategy: 'passkey', challenge, response, ...more })
  }
}
