import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { templates } from '../../src/accounts/index.js'
import { merge, withApp, type Settings } from '../support/app.js'
import { readPage, snippet } from '../support/documents.js'
import { codeIn, linkIn, startMailbox, type Mailbox } from '../support/mailbox.js'
import { restClient } from '../support/rest.js'

const page = 'docs/accounts.md'

describe('docs/accounts.md', () => {
  let mailbox: Mailbox
  let folder: string

  before(async () => {
    mailbox = await startMailbox()
    folder = await mkdtemp(join(tmpdir(), 'moult-templates-'))
  })
  after(async () => {
    await mailbox.close()
    await rm(folder, { recursive: true })
  })

  const settings = (...more: Settings[]): Settings =>
    [JSON.parse(snippet('docs/accounts.md', '"from"')), { mail: { smtp: mailbox.url } }, ...more].reduce(
      merge
    )

  it('shows all it takes', async () => {
    await withApp({ settings: settings() }, async (t) => {
      const { email } = await restClient(t.address).signUp()

      assert.equal(linkIn(await mailbox.next(email)).url, 'https://app.example.com/')
    })
  })

  it('shows how to turn on codes', async () => {
    const codes = JSON.parse(snippet('docs/accounts.md', '"email-code"]'))

    await withApp({ settings: settings(codes) }, async (t) => {
      const client = restClient(t.address)
      const { email } = await client.signUp()

      await mailbox.next(email)
      const { body } = await client.ask('POST', '/sign-in-codes', { body: { email } })
      const code = codeIn(await mailbox.next(email))

      assert.equal((await client.authenticate({ strategy: 'email-code', id: body.id, code })).status, 201)
    })
  })

  it('shows templates of one’s own, which replace those that they name', async () => {
    const file = join(folder, 'templates.mjs')

    await writeFile(file, snippet('docs/accounts.md', "'password-reset': ("))
    await withApp({ settings: settings({ mail: { templates: file } }) }, async (t) => {
      const client = restClient(t.address)
      const { email } = await client.signUp()

      assert.equal((await mailbox.next(email)).subject, 'Confirm your email address')
      await client.ask('POST', '/password-resets', { body: { email } })

      const mail = await mailbox.next(email)

      assert.equal(mail.subject, 'Example: ein neues Passwort')
      assert.match(mail.text, /Der Link gilt 30 Minuten/)
      assert.equal(mail.html, '')
      assert.equal(linkIn(mail).purpose, 'password-reset')
    })
  })

  it('lists all kinds of mail', () => {
    const [, part] = readPage(page).split('\n## Templates')
    const [table] = part!.split('\n## ')
    const kinds = [...table!.matchAll(/^\| `([a-z-]+)`/gm)].map(([, kind]) => kind!)

    assert.deepEqual(kinds.toSorted(), Object.keys(templates).toSorted())
  })
})
