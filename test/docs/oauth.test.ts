import authentication, { MemoryStorage } from '@feathersjs/authentication-client'
import { feathers } from '@feathersjs/feathers'
import rest from '@feathersjs/rest-client'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { RefreshTokenClient } from '../../src/client/index.js'
import { merge, startApp, type Settings, type TestApp } from '../support/app.js'
import { runCode, snippet } from '../support/documents.js'
import { startOAuthProvider, type OAuthProvider } from '../support/oauth-provider.js'
import { freePort } from '../support/process.js'
import { locationOf, visitor } from '../support/visitor.js'

describe('docs/oauth.md', () => {
  const shown = JSON.parse(snippet('docs/oauth.md', '"github"'))
  let provider: OAuthProvider
  let t: TestApp

  before(async () => {
    const port = await freePort()

    provider = await startOAuthProvider()
    t = await startApp({
      settings: merge(shown as Settings, {
        port,
        authentication: {
          oauth: { defaults: { origin: `http://localhost:${port}` }, example: provider.settings },
          'refresh-token': { strategies: ['local', 'github', 'example'] }
        }
      })
    })
  })
  after(async () => {
    await t.stop()
    await provider.stop()
  })

  it('shows settings that send a visitor to GitHub', async () => {
    const { host, searchParams } = locationOf(await visitor().follow(`${t.address}/oauth/github`))
    const { key, scope } = shown.authentication.oauth.github

    assert.equal(host, 'github.com')
    assert.equal(searchParams.get('client_id'), key)
    assert.equal(searchParams.get('scope'), scope.join())
    assert.equal(searchParams.get('redirect_uri'), `${t.address}/oauth/github/callback`)
    assert.equal(searchParams.get('code_challenge_method'), 'S256')
  })

  it('shows how a page takes over the session', async () => {
    provider.profile = { id: 1, email: 'ada@example.com' }

    const location = locationOf(await visitor().follow(`${t.address}/oauth/example?redirect=/welcome`))
    const history = {
      replaceState: (_data: null, _title: string, path: string) => (location.href = location.origin + path)
    }
    const app = feathers<Record<string, any>>()
      .configure(rest.default(t.address).fetch(fetch) as any)
      .configure(authentication.default({ Authentication: RefreshTokenClient, storage: new MemoryStorage() }))

    assert.ok(location.href.startsWith(`${shown.authentication.oauth.redirect}/welcome#access_token=`))
    await runCode(snippet('docs/oauth.md', 'location.hash'), { location, history, app })
    assert.equal(location.href, `${shown.authentication.oauth.redirect}/welcome`)
    assert.equal((await app.get('authentication')).user.email, 'ada@example.com')
    assert.equal((await app.service('sessions').find()).length, 1)
    await app.logout()
  })
})
