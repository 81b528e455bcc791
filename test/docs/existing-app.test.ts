import { MongoDBService } from '@feathersjs/mongodb'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { hideSessions } from '../../src/refresh-token/index.js'
import { root, runCode, snippet } from '../support/documents.js'
import { outcome } from '../support/rest.js'
import { oneApp } from '../support/two-apps.js'

/** Without types, which Node.js can't run. */
const untyped = (code: string) => code.replaceAll(/: (object|Params|HookContext)\b/g, '')

describe('docs/existing-app.md', () => {
  let side: Awaited<ReturnType<typeof oneApp>>

  before(async () => {
    side = await oneApp({
      configure: (app) => {
        const { Model } = app.service('users').options

        app.use('profiles', new MongoDBService({ Model }))
      }
    })
    await runCode(snippet('docs/existing-app.md', 'hideSessions'), { app: side.app, hideSessions })
    await runCode(snippet('docs/existing-app.md', 'deleted: { $ne: true }'), { app: side.app })
  })
  after(() => side.stop())

  it('shows the users service on Mongoose that is tested', () => {
    const tested = readFileSync(join(root, 'test/support/mongoose-users.ts'), 'utf8')

    assert.equal(snippet('docs/existing-app.md', 'Users on Mongoose'), tested)
  })

  it('shows the users service with UUIDs that is tested', () => {
    const tested = readFileSync(join(root, 'test/support/uuid-users.ts'), 'utf8')

    assert.equal(snippet('docs/existing-app.md', 'ids are UUIDs'), tested)
  })

  it('shows how to refuse soft-deleted users', async () => {
    const { email, _id } = await side.add()
    const { accessToken } = await side.login(email)

    assert.equal(outcome(await side.whoami(accessToken)), '200')
    await side.users.updateOne({ _id }, { $set: { deleted: true } })
    assert.equal(outcome(await side.whoami(accessToken)), '401 revoked')
  })

  it('shows how to hide sessions in another service, and in a $lookup', async () => {
    const { email, _id } = await side.add()

    await side.login(email)
    const profile = await side.client.ask('GET', `/profiles/${_id}`)
    const authors = await runCode(snippet('docs/existing-app.md', '$project'), {}, 'authors')

    await side.db.collection('posts').insertOne({ authorId: _id })

    const [post] = await side.db
      .collection('posts')
      .aggregate([{ $lookup: authors }])
      .toArray()

    assert.deepEqual(Object.keys(profile.body).sort(), ['_id', 'email', 'password'])
    assert.deepEqual(Object.keys(post!.author[0]).sort(), ['_id', 'email'])
  })

  it('shows how server code signs a user in', async () => {
    await runCode(untyped(snippet('docs/existing-app.md', 'openSession(user')), { app: side.app })
    const body = { email: 'grace@example.com', password: 'correct horse battery' }
    const signedUp = await side.client.ask('POST', '/sign-up', { body })

    assert.equal(outcome(signedUp), '201')
    assert.equal(signedUp.headers.get('Cache-Control'), 'no-store')
    assert.equal(signedUp.body.session.device.name, 'Sign-up')
    assert.equal(outcome(await side.whoami(signedUp.body.accessToken)), '200')
  })
})
