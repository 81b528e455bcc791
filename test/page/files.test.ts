import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { startApp, type TestApp } from '../support/app.js'

const folder = new URL('../../public/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, folder))
const files = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map(({ name }) => ({ path: name === 'index.html' ? '/' : `/${name}`, content: read(name) }))

interface Answer {
  status: number | undefined
  headers: IncomingHttpHeaders
  body: Buffer
}

describe('the page', () => {
  let t: TestApp

  before(async () => {
    t = await startApp()
  })
  after(() => t.stop())

  /** As a browser asks: `fetch` of Node.js would forbid caches, unpack, and tidy up the path. */
  const ask = async (path: string, headers = {}, method = 'GET'): Promise<Answer> => {
    const asked = request(t.address, { method, path, headers, agent: false })

    asked.end()

    const [answer] = (await once(asked, 'response')) as [IncomingMessage]

    return { status: answer.statusCode, headers: answer.headers, body: await buffer(answer) }
  }

  it('is served at /', async () => {
    const { status, headers } = await ask('/')

    assert.equal(status, 200)
    assert.equal(headers['content-type'], 'text/html; charset=utf-8')
    assert.match(String(headers['content-security-policy']), /^default-src 'none';script-src 'self'/)
  })

  it('is served with all of its files, with any query in the address', async () => {
    for (const script of ['/client.js', '/passkeys.js', '/qr.js']) {
      assert.ok(
        files.some(({ path }) => path === script),
        script
      )
    }

    for (const { path, content } of files) {
      const { status, body } = await ask(`${path}?utm_source=mail`)

      assert.equal(status, 200, path)
      assert.ok(body.equals(content), path)
    }
  })

  it('is revalidated, and sent again only if it has changed', async () => {
    for (const { path } of files) {
      const { etag, 'cache-control': caching } = (await ask(path)).headers
      const same = await ask(path, { 'If-None-Match': etag })
      const other = await ask(path, { 'If-None-Match': '"another"' })

      assert.equal(caching, 'no-cache')
      assert.deepEqual([same.status, same.body.length, same.headers.etag], [304, 0, etag], path)
      assert.equal(other.status, 200)
    }
  })

  it('is compressed for browsers that accept it, with an ETag of its own', async () => {
    const packed = await ask('/client.js', { 'Accept-Encoding': 'gzip, br' })
    const plain = await ask('/client.js')

    assert.equal(packed.headers['content-encoding'], 'gzip')
    assert.equal(plain.headers['content-encoding'], undefined)
    assert.match(String(packed.headers.vary), /Accept-Encoding/)
    assert.match(String(plain.headers.vary), /Accept-Encoding/)
    assert.notEqual(packed.headers.etag, plain.headers.etag)
    assert.ok(gunzipSync(packed.body).equals(plain.body))
    assert.ok(packed.body.length < 50_000, `${packed.body.length} bytes`)
  })

  it('answers HEAD as GET, without the body', async () => {
    const [head, full] = [await ask('/', {}, 'HEAD'), await ask('/')]

    assert.deepEqual([head.status, head.body.length], [200, 0])
    assert.equal(head.headers.etag, full.headers.etag)
    assert.equal(head.headers['content-length'], String(full.body.length))
  })

  it('accepts no other methods', async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const { status, headers } = await ask('/', {}, method)

      assert.deepEqual([status, headers.allow], [405, 'GET, HEAD'])
    }
  })

  const others = [
    '/index.html',
    '/page',
    '/page/main.ts',
    '/Client.js',
    '/client.js/',
    '//',
    '/public/',
    '/../package.json',
    '/page/../../package.json',
    '/%2e%2e/package.json',
    '/client.js%00',
    '/.gitignore'
  ]

  for (const path of others) {
    it(`is all that is served: ${path} is a 404 in JSON`, async () => {
      const { status, body } = await ask(path)

      assert.equal(status, 404)
      assert.equal(JSON.parse(body.toString()).name, 'NotFound')
    })
  }

  it('has no script and no style inside, as its policy asks', () => {
    assert.doesNotMatch(
      read('index.html').toString(),
      /<style|\sstyle=|\son\w+=|<script(?![^>]* src="\/)|javascript:/i
    )
  })
})
