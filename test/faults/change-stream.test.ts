import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it, type TestContext } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { startAppOnBreakable, type AppOnBreakable } from '../support/breakable-mongod.js'
import { heard, socketsOf, type SignedInSocket } from '../support/live.js'
import { newPerson, type Person } from '../support/people.js'
import { restClient } from '../support/rest.js'
import { poll } from '../support/socket.js'
import { startTcpProxy, type ProxiedConnection, type TcpProxy } from '../support/tcp-proxy.js'

const second = 1000 // ms: how long it may take until what changed elsewhere is felt here
const frozen = 5000 // ms: the same while the stream is frozen, and nobody says so

// The one that the change stream is read over waits for more most of the time
const isStream = (connection: ProxiedConnection) => connection.waitsFor('getMore')

describe('the change stream of an instance, when it fails', () => {
  let own: AppOnBreakable
  let elsewhere: TestApp
  let here: TestApp
  let proxy: TcpProxy
  let ada: Person
  let socket: SignedInSocket
  const sockets = socketsOf(() => here.address)

  before(async () => {
    own = await startAppOnBreakable((url) => url.replace(/replicaSet=\w+/, 'directConnection=true'))
    elsewhere = own.t
    proxy = await startTcpProxy(Number(new URL(own.mongod.url).port))
    process.env.MONGODB_URL = `mongodb://127.0.0.1:${proxy.port}/?directConnection=true`
    here = await startApp({ database: elsewhere.db.databaseName })
  })
  beforeEach(async () => {
    ada = await newPerson(elsewhere)
    await poll(() => here.app.service('authentication').live.changes.isFresh, 'the stream', 30_000)
    socket = await sockets.ofSession(ada)
    assert.equal(await statusHere(), 200)
  })
  after(async () => {
    sockets.closeAll()
    await here?.stop()
    await proxy?.close()
    await own?.end()
  })

  const statusHere = async () =>
    (await restClient(here.address).ask('GET', '/content/user', { token: ada.accessToken })).status

  const isFresh = () => here.app.service('authentication').live.changes.isFresh

  /** The stream's connection, as soon as it waits on it. */
  const streams = (act: (which: typeof isStream) => number) =>
    poll(() => act(isStream) || undefined, 'the connection of the change stream')

  /** Ends the session elsewhere, and waits until that is felt here: by a call, and by the socket. */
  async function assertEndIsFelt(t: TestContext, what: string, within: number): Promise<void> {
    const start = performance.now()

    assert.equal((await ada.ask('DELETE', '/authentication')).status, 200)
    await poll(async () => (await statusHere()) === 401, 'the refusal', within)

    const refused = performance.now() - start

    await socket.disconnected()

    const disconnected = performance.now() - start
    const { reason } = heard(socket, 'sessions removed')[0]

    t.diagnostic(
      `${what}: refused after ${Math.round(refused)} ms, disconnected after ${Math.round(disconnected)} ms`
    )
    assert.equal(reason, 'logout')
    assert.ok(disconnected < within, `${disconnected} ms`)
  }

  it('is cut: what ends elsewhere takes effect as soon as usual', async (t: TestContext) => {
    await streams((which) => proxy.cut(which))
    await assertEndIsFelt(t, 'cut', second)
  })

  it('is cut together with all connections', async (t: TestContext) => {
    proxy.cut()
    await assertEndIsFelt(t, 'all connections cut', second)
  })

  it('freezes silently: what ends elsewhere takes effect within 5 s', async (t: TestContext) => {
    await streams((which) => proxy.freeze(which))

    try {
      await assertEndIsFelt(t, 'frozen', frozen)
      // The driver gives that connection up, and reads on over another
      await poll(isFresh, 'the stream', 10_000)
    } finally {
      proxy.thaw()
    }
  })

  it('has lost its history: it is reopened, and nothing that happened in the meantime is missed', async (t: TestContext) => {
    const bob = await newPerson(elsewhere)
    const ofBob = await sockets.ofSession(bob)

    // What happens now the stream does not tell
    await streams((which) => proxy.freeze(which))
    await bob.ask('DELETE', '/authentication')
    await newPerson(elsewhere)
    await own.mongod.loseHistory()
    proxy.thaw()

    await ofBob.disconnected()
    assert.equal(heard(ofBob, 'sessions removed')[0].reason, 'logout')
    await poll(isFresh, 'the stream', 30_000)
    await assertEndIsFelt(t, 'after its history was lost', second)
  })

  it('reports each change once when it resumes', async () => {
    const others = await Promise.all([ada.signIn(), ada.signIn()])

    await poll(() => heard(socket, 'sessions created').length === 2, 'both')
    await streams((which) => proxy.cut(which))

    const more = await ada.signIn()

    await poll(() => heard(socket, 'sessions created').length >= 3, 'the third')
    await poll(isFresh, 'the stream')

    assert.deepEqual(
      heard(socket, 'sessions created')
        .map(({ id }: { id: string }) => id)
        .toSorted(),
      [...others, more].map(({ session }) => session.id as string).toSorted()
    )
  })
})
