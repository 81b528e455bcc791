import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import bcrypt from '@node-rs/bcrypt'
import { snippet } from '../support/documents.js'
import {
  applyDiff,
  compile,
  copyGenerated,
  makePackage,
  ownDatabase,
  startGenerated,
  type GeneratedApp,
  type Package,
  type RunningApp
} from '../support/generated-app.js'
import { codeIn, linkIn, startMailbox, type Mailbox } from '../support/mailbox.js'
import { outcome, password } from '../support/rest.js'

const run = promisify(execFile)
const newPassword = 'another horse battery'

describe('moult/accounts in a generated app', () => {
  const database = ownDatabase()
  let made: Package
  let app: GeneratedApp
  let mailbox: Mailbox
  let running: RunningApp

  before(async () => {
    ;[made, mailbox] = await Promise.all([makePackage(), startMailbox()])
    app = await copyGenerated('generated-ts', made)
    await applyDiff(app, snippet('docs/existing-app.md', '--- src/authentication.ts'))
    await app.write('src/accounts.ts', snippet('docs/accounts.md', 'accountsByMail({'))
    await app.edit('src/app.ts', (text) =>
      `import { accounts } from './accounts'\n${text}`.replace(
        'app.configure(services)\n',
        'app.configure(services)\napp.configure(accounts)\n'
      )
    )
    await app.edit('config/default.json', (text) =>
      text.replace('"local", "refresh-token"', '"local", "refresh-token", "email-code"')
    )
    await compile(app)
    process.env.SMTP_URL = mailbox.url
    running = await startGenerated(app, 'lib/', database.url)
    delete process.env.SMTP_URL
  })
  after(async () => {
    await running.stop()
    await mailbox.close()
    await app.remove()
    await made.remove()
    await database.close()
  })

  const users = () => database.db.collection('users')

  async function signedUp(email: string) {
    const { _id: id } = await running.client.signUp({ email })
    const link = linkIn(await mailbox.next(email))
    const { body } = await running.client.signIn(email)

    return { id, link, token: body.accessToken as string }
  }

  it('verifies the address of a new user, and shows nothing else', async () => {
    const { id, link, token } = await signedUp('ada@example.com')
    const { body } = await running.client.ask('GET', `/users/${id}`, { token })

    assert.deepEqual(Object.keys(body).toSorted(), ['_id', 'email', 'emailVerified'])
    assert.equal(body.emailVerified, false)

    const verified = await running.client.ask('PATCH', `/email-verifications/${link.id}`, {
      token,
      body: { token: link.token }
    })

    assert.equal(verified.status, 200)
    assert.equal((await running.client.ask('GET', `/users/${id}`, { token })).body.emailVerified, true)
  })

  it('resets a password, with the hashes of the app', async () => {
    await signedUp('grace@example.com')
    await running.client.ask('POST', '/password-resets', { body: { email: 'grace@example.com' } })

    const link = linkIn(await mailbox.next('grace@example.com'))
    const reset = (token: string) =>
      running.client.ask('PATCH', `/password-resets/${link.id}`, { body: { token, password: newPassword } })

    assert.equal(outcome(await reset('wrong')), '400 invalid')
    assert.equal((await reset(link.token)).status, 200)
    assert.equal((await running.client.signIn('grace@example.com')).status, 401)
    assert.equal((await running.client.signIn('grace@example.com', { password: newPassword })).status, 201)
  })

  it('changes an address once the new one is verified, by the password', async () => {
    const { id, token } = await signedUp('joan@example.com')
    const { body } = await running.client.ask('PATCH', `/users/${id}`, {
      token,
      body: { email: 'joan@example.org' }
    })

    assert.equal(body.email, 'joan@example.com')
    assert.equal(body.pendingEmail, 'joan@example.org')

    const link = linkIn(await mailbox.next('joan@example.org'))
    const verify = (guess?: string) =>
      running.client.ask('PATCH', `/email-verifications/${link.id}`, {
        body: { token: link.token, ...(guess && { password: guess }) }
      })

    assert.equal((await verify()).status, 401)
    assert.equal((await verify('wrong horse battery')).status, 401)
    assert.equal((await verify(password)).status, 200)
    assert.equal((await running.client.signIn('joan@example.org')).status, 201)
  })

  it('signs in with a code', async () => {
    await signedUp('mary@example.com')

    const { body } = await running.client.ask('POST', '/sign-in-codes', {
      body: { email: 'mary@example.com' }
    })
    const code = codeIn(await mailbox.next('mary@example.com'))
    const signIn = () => running.client.authenticate({ strategy: 'email-code', id: body.id, code })

    assert.equal((await signIn()).status, 201)
    assert.equal(outcome(await signIn()), '401 expired')
  })

  it('lets clients write nothing that only a link may change, and refuses malformed requests', async () => {
    const { id, token } = await signedUp('hedy@example.com')

    for (const body of [{ emailVerified: true }, { notices: [] }, { pendingEmail: 'x@example.com' }]) {
      assert.equal((await running.client.ask('PATCH', `/users/${id}`, { token, body })).status, 400)
    }
    for (const path of ['password-resets', 'email-verifications', 'sign-in-codes']) {
      const { status, body } = await running.client.ask('POST', `/${path}`, { body: { email: { $ne: '' } } })

      assert.equal(status, 400)
      assert.deepEqual(
        body.errors.map(({ field }: { field: string }) => field),
        ['email']
      )
    }
    assert.equal((await running.client.ask('GET', '/users?notices=1', { token })).status, 400)
    assert.equal((await users().findOne({ email: 'hedy@example.com' }))?.emailVerified, false)
  })

  it('comes from feathers-authentication-management with the script shown: its pending links stay valid', async () => {
    const { id } = await signedUp('ida@example.com')
    const resetToken = `${id}___${'a1'.repeat(15)}`

    await users().updateOne(
      { email: 'ida@example.com' },
      {
        $unset: { emailVerified: 1, emailVerification: 1 },
        $set: {
          isVerified: false,
          verifyToken: 'b2'.repeat(15),
          verifyShortToken: '123456',
          verifyExpires: Date.now() + 60_000,
          verifyChanges: {},
          resetToken: await bcrypt.hash(resetToken, 10),
          resetShortToken: await bcrypt.hash('654321', 10),
          resetExpires: Date.now() + 60_000
        }
      }
    )
    await users().updateOne({ email: 'grace@example.com' }, { $set: { isVerified: true, verifyToken: null } })
    await app.write('move.mjs', snippet('docs/accounts.md', 'moveManagedAccounts').replaceAll(/^ {3}/gm, ''))

    const move = () =>
      run(process.execPath, ['move.mjs'], {
        cwd: app.folder,
        env: { ...process.env, MONGODB_URL: database.url }
      })

    assert.equal((await move()).stdout.trim(), 'moved 2')
    assert.equal((await move()).stdout.trim(), 'moved 0')

    const [ida, grace] = await Promise.all(
      ['ida@example.com', 'grace@example.com'].map((email) => users().findOne({ email }))
    )

    assert.equal(grace!.emailVerified, true)
    assert.equal(ida!.verifyToken, undefined)
    assert.doesNotMatch(JSON.stringify(ida), /b2b2/)

    const verified = await running.client.ask('PATCH', `/email-verifications/${id}`, {
      body: { token: 'b2'.repeat(15), password }
    })

    assert.equal(verified.status, 200)

    const reset = (token: string) =>
      running.client.ask('PATCH', `/password-resets/${id}`, { body: { token, password: newPassword } })

    assert.equal(outcome(await reset('wrong')), '400 invalid')
    assert.equal((await reset(resetToken)).status, 200)
    assert.equal((await running.client.signIn('ida@example.com', { password: newPassword })).status, 201)
  })
})
