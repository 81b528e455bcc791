import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { addressGroup, addressOf } from '../../src/http/client-address.js'
import { withApp, type Settings, type TestApp } from '../support/app.js'
import { atOnce, password, restClient, tally, type Answer } from '../support/rest.js'
import { connect } from '../support/socket.js'
import { from, limited } from './limits.js'

const few = { limit: 3, per: '10m' }
const wrong = { strategy: 'local', password: 'not the password' }

/** What is limited by address: one attempt of each, over REST. */
const attempts = {
  'a sign-in': {
    settings: limited({ address: few }),
    prepare: async () => () =>
      ['/authentication', { ...wrong, email: `${randomUUID()}@example.com` }] as const
  },
  'a sign-up': {
    settings: limited({ signUp: few }),
    prepare: async () => () => ['/users', { email: `${randomUUID()}@example.com`, password }] as const
  },
  'a refresh': {
    settings: limited({ refresh: few }),
    prepare: async ({ address }: TestApp) => {
      const { refreshToken } = await restClient(address).newLogin()

      return () =>
        ['/authentication', { strategy: 'refresh-token', refreshToken, idempotencyKey: 'one' }] as const
    }
  }
}

const behind = (settings: Settings, proxies: number): Settings => ({ ...settings, proxies })
const isRefused = ({ status }: Answer) => status === 429

for (const [what, { settings, prepare }] of Object.entries(attempts)) {
  describe(`the limit of ${what} by address`, () => {
    const withAttempts = (
      proxies: number,
      work: (t: TestApp, attempt: (headers?: Record<string, string>) => Promise<Answer>) => Promise<void>
    ) =>
      withApp({ settings: behind(settings, proxies) }, async (t) => {
        const next = await prepare(t)

        await work(t, (headers = {}) => {
          const [path, body] = next()

          return restClient(t.address).ask('POST', path, { body, headers })
        })
      })

    it('answers 429 with Retry-After, and none slip through when fifty come at once', () =>
      withAttempts(0, async (_t, attempt) => {
        const answers = await atOnce(50, () => attempt())
        const refused = answers.filter(isRefused)

        assert.equal(refused.length, 47, JSON.stringify(tally(answers)))
        assert.ok(refused.every(({ headers }) => Number(headers.get('Retry-After')) > 500))
      }))

    it('ignores X-Forwarded-For without a trusted proxy', () =>
      withAttempts(0, async (_t, attempt) => {
        const answers = await atOnce(20, (index) => attempt(from(`192.0.2.${index}`)))

        assert.equal(answers.filter(isRefused).length, 17)
      }))

    it('counts each address that a trusted proxy reports, ignoring what the client put before it', () =>
      withAttempts(1, async (_t, attempt) => {
        const spoofed = await atOnce(20, (index) => attempt(from(`192.0.2.${index}, 198.51.100.1`)))
        const another = await attempt(from('192.0.2.1, 198.51.100.2'))

        assert.equal(spoofed.filter(isRefused).length, 17)
        assert.equal(isRefused(another), false)
      }))

    it('counts a /64 of IPv6 as one, and sockets as REST', () =>
      withAttempts(1, async ({ address }, attempt) => {
        await atOnce(3, (index) => attempt(from(`2001:db8:1:2::${index + 1}`)))

        assert.equal(isRefused(await attempt(from('2001:db8:1:2:ffff::9'))), true)
        assert.equal(isRefused(await attempt(from('2001:db8:1:3::1'))), false)

        const socket = await connect(address, from('192.0.2.7, 2001:db8:1:2::77'))
        const body = { ...wrong, email: 'x@example.com' }
        const calls: Record<string, [string, object]> = {
          'a sign-in': ['authentication', body],
          'a sign-up': ['users', { email: 'x@example.com', password }],
          'a refresh': ['authentication', { strategy: 'refresh-token', refreshToken: 'x' }]
        }

        await assert.rejects(socket.call('create', ...calls[what]!), (error: any) => {
          assert.equal(error.code, 429)
          assert.ok(error.data.retryAfter > 500)
          return true
        })
        socket.close()
      }))
  })
}

describe('the address of a session', () => {
  const ipOf = (proxies: number, headers: Record<string, string>) =>
    withApp({ settings: { proxies } }, async ({ address }) => {
      const client = restClient(address)
      const { email } = await client.signUp()
      const login = { strategy: 'local', email, password }
      const socket = await connect(address, headers)
      const overSocket = await socket.call('create', 'authentication', login)
      const { body } = await client.ask('POST', '/authentication', { body: login, headers })

      socket.close()
      return [body.session.device.ip, overSocket.session.device.ip]
    })

  it('is that of the connection without trusted proxies', async () => {
    for (const ip of await ipOf(0, from('192.0.2.1'))) {
      assert.match(ip, /127\.0\.0\.1|^::1$/)
    }
  })

  it('is the one that the outermost trusted proxy saw', async () => {
    const header = from('192.0.2.1, 192.0.2.2, 192.0.2.3')

    assert.deepEqual(await ipOf(1, header), ['192.0.2.3', '192.0.2.3'])
    assert.deepEqual(await ipOf(2, header), ['192.0.2.2', '192.0.2.2'])
  })
})

describe('addressOf', () => {
  const remoteAddress = '10.0.0.1'
  const told = (value: string | undefined, proxies: number) =>
    addressOf({ headers: { 'x-forwarded-for': value }, remoteAddress }, proxies)

  it('ignores entries that no proxy can have written', () => {
    assert.equal(told(undefined, 1), remoteAddress)
    assert.equal(told('', 1), remoteAddress)
    assert.equal(told('192.0.2.1', 2), remoteAddress)
    assert.equal(told('192.0.2.1, nonsense', 1), remoteAddress)
    assert.equal(told('192.0.2.1,', 1), remoteAddress)
    assert.equal(told('nonsense,192.0.2.1', 1), '192.0.2.1')
  })
})

describe('addressGroup', () => {
  it('is the /64 of an IPv6 address, and an IPv4 address itself, however they are written', () => {
    const groups = {
      '192.0.2.1': '192.0.2.1',
      '::ffff:192.0.2.1': '192.0.2.1',
      '::ffff:c000:201': '192.0.2.1',
      '0:0:0:0:0:FFFF:192.0.2.1': '192.0.2.1',
      '::1': '0:0:0:0::/64',
      '2001:db8::1': '2001:db8:0:0::/64',
      '2001:0DB8:0000:0000:1:2:3:4': '2001:db8:0:0::/64',
      '2001:db8:1:2:3::': '2001:db8:1:2::/64',
      'fe80::1%eth0': 'fe80:0:0:0::/64',
      unknown: 'unknown'
    }

    assert.deepEqual(Object.keys(groups).map(addressGroup), Object.values(groups))
  })
})
