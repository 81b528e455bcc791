import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { assertRefused, isConnected, socketsOf, type SignedInSocket } from '../support/live.js'
import { newPerson, type Person } from '../support/people.js'
import { poll } from '../support/socket.js'
import { frame, openWebSocket } from '../support/web-socket.js'

describe('packets that no well-behaved client sends', () => {
  let t: TestApp
  let ada: Person
  let socket: SignedInSocket
  const sockets = socketsOf(() => t.address)
  const refused = (codes: number[], method: string, ...args: unknown[]) =>
    assertRefused(socket, codes, method, ...args)

  before(async () => {
    t = await startApp()
    // Where Feathers leaves stacks in: it reads NODE_ENV at each error
    delete process.env.NODE_ENV
    ada = await newPerson(t)
    socket = await sockets.signedIn(ada)
  })
  after(async () => {
    process.env.NODE_ENV = 'test'
    sockets.closeAll()
    await t.stop()
  })

  it('answers a method that no service has', async () => {
    const methods = ['nothing', '', 'setup', 'publish', 'on', 'emit', 'constructor', '__proto__', 'toString']

    for (const method of methods) {
      await refused([405], method, 'users')
      await refused([405], method)
    }
    await refused([405], 'update', 'users', ada.id, {})
    await refused([405], 'create', 'sessions', {})
    await refused([405], 'remove', 'health', 'x')
  })

  it('answers a call of an unknown service', async () => {
    const paths = [
      'nothing',
      '',
      '/',
      '__proto__',
      'constructor',
      'users/__proto__',
      'a/b/c',
      null,
      5,
      {},
      [],
      true
    ]

    for (const path of paths) {
      await refused([404], 'find', path)
      await refused([404], 'create', path, {})
    }
  })

  it('answers a call without a service', async () => {
    await refused([400, 404], 'find')
  })

  it('survives calls that nobody waits for', async () => {
    const anonymous = await sockets.anonymous()
    const calls: unknown[][] = [
      ['find'],
      ['find', 'users'],
      ['create'],
      ['create', 'users', null],
      ['create', 'authentication', { strategy: 'local' }],
      ['remove', 'nothing', 'x'],
      ['nothing', 'users'],
      ['', 'users'],
      [5]
    ]

    for (const [method, ...args] of calls) {
      anonymous.socket.emit(method as string, ...args)
    }
    assert.deepEqual(await anonymous.call('find', 'health'), { status: 'ok' })
  })

  it('survives the event "error", which Socket.IO lets clients send', async () => {
    const anonymous = await sockets.anonymous()
    const uncaught: unknown[] = []
    const note = (error: unknown) => uncaught.push(error)

    // The test runner's own listener comes after ours, and fails the test as well
    process.prependListener('uncaughtException', note)

    try {
      for (const args of [[], [null], ['x'], [{ name: 'x' }]]) {
        anonymous.socket.emit('error', ...args)
      }
      assert.deepEqual(await anonymous.call('find', 'health'), { status: 'ok' })
    } finally {
      process.removeListener('uncaughtException', note)
    }

    assert.deepEqual(uncaught, [])
    await refused([405], 'error', null)
  })

  it('survives a call with tens of thousands of arguments, which would overflow the stack', async () => {
    const { tcp, received } = await openWebSocket(t.address)

    tcp.write(frame('40'))
    await poll(() => received().includes('40{'), 'the socket')
    tcp.write(frame(`421["find"${',1'.repeat(45_000)}]`))
    await poll(() => received().includes("Too many arguments for 'find' method"), 'the refusal')
    tcp.destroy()
    assert.deepEqual(await socket.call('find', 'health'), { status: 'ok' })
    await refused([400], 'find', 'users', {}, {}, {}, {})
  })

  it('takes no binary data, neither as an argument nor in one', async () => {
    const binary = Buffer.alloc(90_000)

    await refused([400], 'find', 'users', binary)
    await refused([400], 'find', 'users', { $or: binary })
    await refused([400], 'create', 'users', binary)
    await refused([400], 'create', 'users', { email: binary, password: binary })
  })

  it('drops a socket that leaves the attachments of a call incomplete, once they take too much', async () => {
    const { tcp, closed, received } = await openWebSocket(t.address)

    tcp.write(frame('40'))
    await poll(() => received().includes('40{'), 'the socket')
    tcp.write(frame('4510-["find","users"]'))
    for (let sent = 0; sent < 11; sent++) {
      tcp.write(frame('x'.repeat(99_000), 2))
    }
    await closed()
  })

  it('drops a socket that sends more than 100 kB, and only that one', async () => {
    const [anonymous, huge] = [await sockets.anonymous(), 'x'.repeat(150_000)]

    anonymous.socket.emit('create', 'users', { email: huge, password: huge })
    assert.match(await anonymous.disconnected(), /^transport (close|error)$/)
    assert.equal(isConnected(socket), true)
    assert.deepEqual(await socket.call('find', 'health'), { status: 'ok' })
    await refused([400], 'create', 'users', { email: 'x'.repeat(90_000), password: 'long enough' })
  })
})
