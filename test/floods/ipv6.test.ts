import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, it } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'
import { addressGroup } from '../../src/http/client-address.js'
import { withApp, type TestApp } from '../support/app.js'
import { restClient } from '../support/rest.js'
import { until } from '../support/until.js'
import { limited } from './limits.js'

/** The addresses of this machine, of which each is its own client to a service that listens on all of them. */
const own = ['127.0.0.1', ...ipv6Addresses()]

/** One address of each group that shares its limits. */
const clients = [...new Map(own.map((address) => [addressGroup(address), address])).values()]

function ipv6Addresses(): string[] {
  return Object.entries(networkInterfaces()).flatMap(([name, found = []]) =>
    found
      .filter(({ family }) => family === 'IPv6')
      .map(({ address, scopeid }) => (scopeid ? `${address}%${name}` : address))
  )
}

/** A service for IPv6 and IPv4: it sees an IPv4 client as ::ffff:127.0.0.1. */
const host = '::'
const portOf = ({ address }: TestApp) => Number(/\d+$/.exec(address)![0])

/** A sign-in that fails. Its status. */
async function signIn(t: TestApp, address: string): Promise<number> {
  const sent = request({
    host: address,
    port: portOf(t),
    method: 'POST',
    path: '/authentication',
    headers: { 'Content-Type': 'application/json' }
  })

  sent.end(
    JSON.stringify({ strategy: 'local', email: 'nobody@example.com', password: 'wrong horse battery' })
  )

  const [response] = await once(sent, 'response')

  response.resume()
  return response.statusCode
}

describe('over real sockets of IPv6', () => {
  it('there are clients to test with', () => {
    assert.ok(own.includes('::1'), 'this machine has no IPv6')
  })

  it('attempts are limited by address in any notation, and a zone does not make another address', () =>
    withApp({ settings: { host, ...limited({ address: { limit: 3, per: '1h' } }) } }, async (t) => {
      for (const address of clients) {
        for (let attempt = 0; attempt < 3; attempt++) {
          assert.equal(await signIn(t, address), 401, address)
        }
      }
      for (const address of own) {
        assert.equal(await signIn(t, address), 429, address)
      }
    }))

  it('connections are limited by address', () =>
    withApp({ settings: { host, limits: { connectionsPerAddress: 3 } } }, async (t) => {
      for (const address of clients) {
        const open = Array.from({ length: 6 }, () => connect(portOf(t), address).on('error', () => {}))

        const left = () => open.filter(({ destroyed }) => !destroyed).length

        await until(`three of ${address} are ended`, () => left() <= 3)
        await later(200)
        assert.equal(left(), 3, address)
        open.forEach((socket) => socket.destroy())
        await later(200)
      }
    }))

  it('an IPv4 client has its usual address, in its session too', () =>
    withApp({ settings: { host } }, async (t) => {
      const { session } = await restClient(`http://127.0.0.1:${portOf(t)}`).newLogin()
      const { session: other } = await restClient(`http://[::1]:${portOf(t)}`).newLogin()

      assert.equal(session.device.ip, '127.0.0.1')
      assert.equal(other.device.ip, '::1')
    }))
})
