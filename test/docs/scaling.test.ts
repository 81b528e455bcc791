import assert from 'node:assert/strict'
import { MongoClient } from 'mongodb'
import { createServer } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { io } from 'socket.io-client'
import { rateLimitIndexes } from '../../src/rate-limits/indexes.js'
import { userIndexes } from '../../src/services/users/users.indexes.js'
import { startApp, withApp, type TestApp } from '../support/app.js'
import { readPage, runCode, runShell, snippet } from '../support/documents.js'
import { restClient } from '../support/rest.js'
import { poll } from '../support/socket.js'

const indexes = [...userIndexes, ...rateLimitIndexes]

type Directive = [name: string, ...args: string[]]

/** The directives of an nginx.conf, each with those in its block. Fails if a brace or a `;` is missing. */
function directivesIn(conf: string): { directive: Directive; inside: Directive[] }[] {
  const words = conf.replaceAll(/#.*$/gm, '').match(/'[^']*'|[{};]|[^\s{};]+/g)!
  const found: { directive: Directive; inside: Directive[] }[] = []
  const open: Directive[][] = []
  let directive: string[] = []

  for (const word of words) {
    if (word === '}') {
      assert.deepEqual(directive, [], 'a ; is missing')
      assert.ok(open.pop(), 'there is a } too many')
    } else if (word === '{' || word === ';') {
      const inside: Directive[] = []

      found.push({ directive: directive as Directive, inside })
      open.at(-1)?.push(directive as Directive)
      directive = []

      if (word === '{') {
        open.push(inside)
      }
    } else {
      directive.push(word)
    }
  }

  assert.equal(open.length, 0, 'a } is missing')
  return found
}

describe('docs/scaling.md', () => {
  let t: TestApp

  before(async () => {
    t = await startApp()
  })
  after(() => t.stop())

  it('shows an nginx configuration that fits the settings of the service', () => {
    // Without nginx, only the syntax and the values are checked, and the page says so
    const all = directivesIn(snippet('docs/scaling.md', 'upstream moult'))
    const valueOf = (name: string) => all.find(({ directive }) => directive[0] === name)!.directive.slice(1)
    const { body } = t.app.get('limits')
    const location = all.find(({ directive }) => directive[0] === 'location')!.inside
    const headers = location.filter(([name]) => name === 'proxy_set_header').map(([, name]) => name)

    assert.deepEqual(valueOf('proxy_pass'), ['http://moult'])
    assert.deepEqual(headers, ['Upgrade', 'Connection', 'Host', 'X-Forwarded-For', 'X-Forwarded-Proto'])
    assert.ok(Number.parseInt(valueOf('client_max_body_size')[0]!) * 1024 >= body)
    assert.ok(Number.parseInt(valueOf('keepalive_timeout')[0]!) * 1000 < createServer().keepAliveTimeout)
    assert.ok(
      Number.parseInt(valueOf('proxy_read_timeout')[0]!) * 1000 > 2 * t.app.io.engine.opts.pingInterval
    )
    assert.ok(readPage('docs/scaling.md').includes('With nginx (this was not run'))
  })

  it('trusts the address from that nginx, with the setting on the page', async () => {
    const [, json] = /NODE_CONFIG='(\{"proxies": 1\})'/.exec(readPage('docs/scaling.md'))!

    await withApp({ settings: JSON.parse(json!) }, async ({ address }) => {
      const client = restClient(address)
      const { email } = await client.signUp()
      const { body } = await client.ask('POST', '/authentication', {
        body: { strategy: 'local', email, password: 'correct horse battery' },
        headers: { 'X-Forwarded-For': '192.0.2.7' }
      })

      assert.equal(body.session.device.ip, '192.0.2.7')
    })
  })

  it('shows how a client avoids long-polling', async () => {
    const code = snippet('docs/scaling.md', "transports: ['websocket']").replace(
      'https://api.example.com',
      t.address
    )
    const socket = await runCode(`const socket = ${code}`, { io }, 'socket')

    try {
      await poll(() => socket.connected, 'the connection')
      assert.equal(socket.io.engine.transport.name, 'websocket')
    } finally {
      socket.close()
    }
  })

  it('shows the connection string of a replica set', async () => {
    const url = await runShell(`${snippet('docs/scaling.md', "MONGODB_URL='")}\necho -n "$MONGODB_URL"`)
    const { hosts, replicaSet, dbName } = new MongoClient(url).options

    assert.equal(hosts.length, 3)
    assert.deepEqual([replicaSet, dbName], ['rs0', 'moult'])
  })

  it('shows how to shard users, and which unique index that rules out', async () => {
    // Without a mongos, only the requirements for sharding a collection are checked
    const keys: Record<string, object> = {}
    const sh = { shardCollection: (name: string, key: object) => (keys[name.replace('moult.', '')] = key) }

    await runCode(snippet('docs/scaling.md', 'moult.rateLimits'), { sh })
    await runCode(snippet('docs/scaling.md', 'moult.emails'), { sh })
    assert.deepEqual(Object.keys(keys), ['users', 'rateLimits', 'emails'])

    for (const [name, key] of Object.entries(keys)) {
      const isThere = indexes.some((index) => index.collection === name && isDeepStrictEqual(index.key, key))

      await (isThere || t.db.collection(name).createIndex(key as { _id: 'hashed' }))
    }

    // A unique index must begin with the shard key
    const impossible = indexes
      .filter(({ collection, unique }) => unique && collection in keys)
      .filter(({ collection, key }) => Object.keys(keys[collection]!)[0] !== Object.keys(key)[0])

    assert.deepEqual(
      impossible.map(({ collection, key }) => [collection, key]),
      [['users', { email: 1 }]]
    )
  })
})
