import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { runScript } from './support/process.js'
import { makePlace, type Place, type TestService } from './support/service.js'

describe('the start without MONGODB_URL', () => {
  let place: Place

  before(async () => {
    place = await makePlace()
  })
  afterEach(() => place.killAll())
  after(() => place.remove())

  // Each step goes on from the ones before it
  let email: string
  let refreshToken: string

  const embedded = { MONGODB_URL: undefined }
  const start = (): Promise<TestService> => place.start(embedded)
  const giveRole = (role: string) =>
    runScript('cli.ts', { args: ['users', 'role', email, role], env: place.environment(embedded) })

  /** Refreshes, and what the role of the user is then. */
  async function goOn({ client }: TestService): Promise<string[]> {
    const { status, body } = await client.refresh(refreshToken)

    assert.equal(status, 201)
    refreshToken = body.refreshToken
    return body.user.roles
  }

  it('brings a MongoDB along, and says so', async () => {
    const { client, kill, outcome } = await start()
    const login = await client.newLogin()

    email = login.user.email
    refreshToken = login.refreshToken
    assert.equal((await client.ask('GET', '/health')).status, 200)

    kill('SIGTERM')

    const { code, stdout, stderr } = await outcome

    assert.equal(code, 0)
    assert.match(stdout, /MongoDB \d+\.\d+\.\d+/)
    assert.equal(stdout.split('\n').filter((line) => line.includes('http://')).length, 1)
    assert.equal(stderr, '')
  })

  it('finds the users of the last one, and who was signed in', async () => {
    const service = await start()

    assert.equal((await service.client.signIn(email)).status, 201)
    await goOn(service)

    service.kill('SIGINT')
    assert.equal((await service.outcome).code, 0)
  })

  it('is not held up by one that was killed, and finds all that it answered', async () => {
    const killed = await start()

    await goOn(killed)
    killed.kill('SIGKILL')

    // At once: the MongoDB of the one that was killed may still be there
    const service = await start()

    await goOn(service)
    assert.equal((await service.client.signIn(email)).status, 201)
  })

  it('leaves room for the command line, while it runs and while it does not', async () => {
    const first = await start()

    assert.equal((await giveRole('moderator')).code, 0)
    assert.deepEqual(await goOn(first), ['moderator'])

    first.kill('SIGTERM')
    await first.outcome

    const { code, stdout } = await giveRole('admin')

    assert.equal(code, 0)
    assert.equal(stdout, `${email} has the role admin now`)
    assert.deepEqual(await goOn(await start()), ['admin'])
  })
})
