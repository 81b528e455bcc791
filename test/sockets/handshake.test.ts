import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { isConnected, isSignedIn, socketsOf } from '../support/live.js'
import { newPerson } from '../support/people.js'
import { poll } from '../support/socket.js'

describe('a handshake with an Authorization header', () => {
  let t: TestApp
  const sockets = socketsOf(() => t.address)
  const handshake = (value: string) => sockets.anonymous({ Authorization: value })

  before(async () => {
    t = await startApp()
  })
  after(async () => {
    sockets.closeAll()
    await t.stop()
  })

  it('signs the connection in with a good token', async () => {
    const ada = await newPerson(t)
    const socket = await handshake(`Bearer ${ada.accessToken}`)
    const [session] = await socket.call('find', 'sessions')

    assert.deepEqual(session, { ...ada.session, current: true })
    await ada.ask('PATCH', `/users/${ada.id}`, { body: { name: 'Ada' } })
    assert.equal((await socket.next('users patched')).name, 'Ada')
    await ada.ask('DELETE', '/authentication')
    assert.equal((await socket.next('sessions removed')).reason, 'logout')
    assert.equal(await socket.disconnected(), 'io server disconnect')
  })

  it('signs nobody in without a token', async () => {
    const socket = await sockets.anonymous()

    assert.equal(await isSignedIn(socket), false)
  })

  const bad: [string, (person: Awaited<ReturnType<typeof newPerson>>) => string | Promise<string>][] = [
    ['rubbish', () => 'Bearer rubbish'],
    ['a refresh token', ({ refreshToken }) => `Bearer ${refreshToken}`],
    ['a forged token', ({ accessToken }) => `Bearer ${accessToken.slice(0, -6)}AAAAAA`],
    [
      'the token of an ended session',
      async ({ ask, accessToken }) => {
        await ask('DELETE', '/authentication')
        return `Bearer ${accessToken}`
      }
    ],
    ['a token of unknown kind', ({ accessToken }) => `Basic ${accessToken}`],
    ['no token at all', () => 'Bearer']
  ]

  for (const [what, header] of bad) {
    it(`refuses the connection or leaves it signed out with ${what}`, async () => {
      const value = await header(await newPerson(t))

      try {
        const socket = await handshake(value)

        assert.equal(await isSignedIn(socket), false)
        assert.equal(isConnected(socket), true)
      } catch (error) {
        const { data, message } = error as { data?: { reason?: string }; message: string }

        assert.ok(
          ['invalid', 'revoked'].includes(data?.reason ?? ''),
          `connect_error with a reason: ${message}`
        )
        assert.ok(!JSON.stringify({ ...data, message }).includes('    at '), 'no stack')
      }
    })
  }

  it('refuses an expired token', async () => {
    const { accessToken } = await newPerson(t)

    t.clock.advance(15 * 60_000)
    await assert.rejects(handshake(`Bearer ${accessToken}`), { data: { reason: 'expired' } })
  })
})

describe('a handshake whose client hangs up while it is signed in', () => {
  let t: TestApp

  before(async () => {
    // So that each sign-in takes the time of a call of the database
    t = await startApp({ settings: { authentication: { 'refresh-token': { cache: { bytes: 0 } } } } })
  })
  after(() => t.stop())

  // RFC 6455 §5.2: a masked text of two characters, `40`, with which Socket.IO connects
  const connectPacket = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30])

  async function hangUpInHandshake(accessToken: string): Promise<void> {
    const { hostname, port } = new URL(t.address)
    const socket = connectTcp(Number(port), hostname)

    socket.write(
      'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n' +
        `Authorization: Bearer ${accessToken}\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
    )
    await once(socket, 'data')
    socket.end(connectPacket)
    socket.destroy()
  }

  it('leaves nothing behind', async () => {
    const ada = await newPerson(t)
    let signedIn = 0

    t.app.on('login', () => signedIn++)

    for (let time = 0; time < 10; time++) {
      await hangUpInHandshake(ada.accessToken)
    }

    await poll(() => signedIn === 10, 'all sign-ins')
    await poll(() => t.app.channels.length === 0, 'the end of all channels')
  })
})
