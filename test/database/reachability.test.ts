import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { atOnce } from '../support/rest.js'
import { freePort, runScript } from '../support/process.js'
import { makePlace, type Place } from '../support/service.js'
import { poll } from '../support/socket.js'
import { startStandaloneMongod } from '../support/standalone-mongod.js'

let place: Place

before(async () => {
  place = await makePlace()
})
after(() => place.remove())

describe('a database that can not be reached', () => {
  /** Starts a service on that URL, and returns the sentence in its log. */
  async function logged(url: string): Promise<string> {
    const service = await place.start({ MONGODB_URL: url })
    const [sentence] = await service.said(/The database can not be reached.*/)

    service.kill('SIGTERM')

    const { stdout, stderr } = await service.outcome

    assert.doesNotMatch(stdout + stderr, /hunter2/)
    return sentence
  }

  /** A server of its own that does something with each connection. */
  async function listening(listener: (socket: Socket) => void): Promise<{ host: string; close(): void }> {
    const server = createServer(listener).listen(0, '127.0.0.1')

    await once(server, 'listening')

    return {
      host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      close: () => server.close()
    }
  }

  it('is named with its host, if nothing listens', async () => {
    const host = `127.0.0.1:${await freePort()}`

    assert.equal(
      await logged(`mongodb://ada:hunter2@${host}/moult`),
      `The database can not be reached (${host} refuses connections): answering 503 until it is back`
    )
  })

  it('is named with its host, if DNS does not find it', async () => {
    assert.match(await logged('mongodb://db.invalid/moult'), /\(db\.invalid:27017 is not found in DNS\)/)
    assert.match(
      await logged('mongodb+srv://ada:hunter2@db.invalid/moult'),
      /\(db\.invalid is not found in DNS\)/
    )
  })

  it('is named with its host, if it does not answer', async () => {
    const sockets: Socket[] = []
    const { host, close } = await listening((socket) => sockets.push(socket))

    assert.ok((await logged(`mongodb://${host}/moult`)).includes(`(${host} does not answer in time)`))
    sockets.forEach((socket) => socket.destroy())
    close()
  })

  it('is named with its host, if TLS fails', async () => {
    const { host, close } = await listening((socket) => socket.destroy())

    assert.match(
      await logged(`mongodb://${host}/moult?tls=true`),
      new RegExp(`\\(${host} (closes connections, as if only one side used TLS|fails the TLS handshake)`)
    )
    close()
  })

  it('is named with all its hosts, each with a reason', async () => {
    const host = `127.0.0.1:${await freePort()}`

    assert.match(
      await logged(`mongodb://${host},db.invalid/moult?replicaSet=rs0`),
      new RegExp(`\\(${host} refuses connections, db\\.invalid:27017 is not found in DNS\\)`)
    )
  })

  it('ends the start with a sentence, if it refuses the login', async () => {
    const { host } = new URL(process.env.MONGODB_URL!)
    const env = place.environment({ MONGODB_URL: `mongodb://ada:hunter2@${host}/moult` })
    const { code, stdout, stderr } = await runScript('index.ts', { env })

    assert.equal(code, 1)
    assert.equal(
      stderr,
      `mongodb names a database that can not be used (${host} refuses the user or the password): ` +
        'write the user, the password and the authSource of one that can'
    )
    assert.doesNotMatch(stdout + stderr, /hunter2/)
  })
})

describe('the log of a service', () => {
  afterEach(() => place.killAll())

  it('says once that the database is away and once that it is back, although many calls fail', async () => {
    const port = await freePort()
    const service = await place.start({ MONGODB_URL: `mongodb://127.0.0.1:${port}/moult` })
    const health = async () => (await service.client.ask('GET', '/health')).status
    const fails = async () =>
      assert.deepEqual(
        (await atOnce(10, () => service.client.ask('GET', '/content'))).map(({ status }) => status),
        Array(10).fill(503)
      )

    // given a service that started without its database
    await service.said(/can not be reached/)
    await fails()

    // when the database comes, goes and comes again
    for (let round = 1; round <= 2; round++) {
      const mongod = await startStandaloneMongod(port)

      await poll(async () => (await health()) === 200, 'the database', 30_000)
      await service.said(new RegExp(`(can be reached again[^]*){${round}}`))
      await mongod.stop()
      await service.said(new RegExp(`(can not be reached[^]*){${round + 1}}`))
      await poll(async () => (await health()) === 503, 'the outage', 30_000)
    }

    service.kill('SIGTERM')

    // then each change was said once
    const { stdout } = await service.outcome
    const changes = stdout.match(/The database can .*/g)!
    const away = `The database can not be reached (127.0.0.1:${port} refuses connections): answering 503 until it is back`
    const back = 'The database can be reached again'

    assert.deepEqual(changes, [away, back, away, back, away])
  })
})
