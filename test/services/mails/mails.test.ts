import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { SMTPServer } from 'smtp-server'
import { createApp } from '../../../src/app.js'
import type { Mail } from '../../../src/accounts/index.js'
import { checkedConfiguration, readConfiguration } from '../../../src/configuration.js'
import { databaseUrl, merge, withApp, type Settings } from '../../support/app.js'
import { testLogger } from '../../support/log.js'
import { linkIn, mailTo, startMailbox } from '../../support/mailbox.js'
import { restClient } from '../../support/rest.js'
import { goodSecrets, makePlace, type Place } from '../../support/service.js'
import { poll } from '../../support/socket.js'

const from = 'Example <hello@example.com>'
const base = () => merge(readConfiguration(), { mongodb: databaseUrl('none') })

/** The sentence with which an app refuses to start. */
function sentenceFor(settings: Settings, environment = 'test'): string {
  const before = process.env.NODE_ENV

  process.env.NODE_ENV = environment

  try {
    createApp(checkedConfiguration(merge(base(), settings)), { logger: testLogger() })
  } catch (error) {
    return (error as Error).message
  } finally {
    process.env.NODE_ENV = before
  }

  return assert.fail('it starts')
}

const production: Settings = {
  authentication: {
    secret: goodSecrets.ACCESS_TOKEN_SECRET,
    'refresh-token': { secret: goodSecrets.REFRESH_TOKEN_SECRET }
  }
}

describe('the settings of mail', () => {
  it('are refused with a sentence that says what to write', () => {
    for (const [settings, sentence] of [
      [{ mail: {} }, /^mail\.from is missing: write whom mails are from/],
      [{ mail: true }, /^mail .*: write false, or an object with from/],
      [{ mail: { from: 'nobody' } }, /^mail\.from is "nobody": write whom mails are from/],
      [{ mail: { from: 'A <a@example.com>\r\nBcc: b@example.com' } }, /^mail\.from is /],
      [
        { mail: { from, smtp: 'http://user:hunter2@example.com' } },
        /^mail\.smtp can not be used: write the URL/
      ],
      [{ mail: { from, smtp: 'smtp://a:b/c@d' } }, /^mail\.smtp is not a URL: write one such as smtps/],
      [{ accounts: { verified: 'yes' } }, /^accounts\.verified is "yes": write "no", or "sign-in"/],
      [{ accounts: { url: 'app.example.com' } }, /^accounts\.url is "app\.example\.com": write the address/],
      [{ accounts: { url: 'https://app.example.com/#x' } }, /^accounts\.url is /],
      [{ accounts: { verified: 'sign-in' } }, /^accounts\.verified is "sign-in", but nobody could/],
      [
        { authentication: { authStrategies: ['jwt', 'local', 'refresh-token', 'email-code'] } },
        /^authentication\.authStrategies names "email-code", but no code can be sent without mail/
      ]
    ] as [Settings, RegExp][]) {
      assert.match(sentenceFor(settings), sentence)
    }
  })

  it('need an SMTP server and the address of a page in production', () => {
    const mail = merge(production, { mail: { from } })

    assert.match(sentenceFor(mail, 'production'), /^accounts\.url is missing: write the address of the page/)
    assert.match(
      sentenceFor(merge(mail, { accounts: { url: 'https://app.example.com/' } }), 'production'),
      /^mail\.smtp is missing: set SMTP_URL to/
    )
  })

  describe('name a module of templates', () => {
    let folder: string

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'moult-templates-'))
    })
    after(() => rm(folder, { recursive: true }))

    it('that may return a promise, and get the user, but no secret', async () => {
      const file = join(folder, 'with-user.mjs')
      const mails: Mail[] = []

      await writeFile(
        file,
        "export default { 'verify-email': async ({ user }) => ({ subject: user.name, text: JSON.stringify(user) }) }"
      )
      await withApp(
        { settings: { mail: { from, templates: file } }, deliver: async (mail) => mails.push(mail) },
        async (t) => {
          await restClient(t.address).signUp({ name: 'Ada' })

          const mail = await poll(() => mails[0], 'the mail', 10_000)

          assert.equal(mail.subject, 'Ada')
          assert.deepEqual(Object.keys(JSON.parse(mail.text)).toSorted(), [
            '_id',
            'createdAt',
            'disabled',
            'email',
            'emailVerified',
            'name',
            'roles'
          ])
        }
      )
    })

    for (const [what, content, sentence] of [
      ['is not there', undefined, /^mail\.templates is ".*", which can not be imported/],
      [
        'exports nothing',
        'export const a = 1',
        /^mail\.templates exports nothing by default: export an object/
      ],
      [
        'has an unknown kind',
        'export default { letter: () => 1 }',
        /^mail\.templates exports "letter" by default/
      ],
      [
        'has no function',
        "export default { 'password-reset': 'Hello' }",
        /^mail\.templates exports "password-reset" by default/
      ]
    ] as const) {
      it(`that ${what}: the service does not start`, async () => {
        const file = join(folder, `${what.replaceAll(' ', '-')}.mjs`)

        if (content !== undefined) {
          await writeFile(file, content)
        }

        await assert.rejects(
          withApp({ settings: { mail: { from, templates: file } } }, async () => undefined),
          ({ message }: Error) => sentence.test(message)
        )
      })
    }
  })
})

describe('mail', () => {
  let place: Place | undefined

  afterEach(async () => {
    await place?.remove()
    place = undefined
  })

  it('is printed at the terminal in development without SMTP, with a link to this service', async () => {
    place = await makePlace()
    const service = await place.start({
      NODE_CONFIG: JSON.stringify({ data: place.data, mail: { from }, rateLimit: false })
    })

    await service.client.signUp({ email: 'ada@example.com' })
    const [text] = await service.said(/A mail to ada@example\.com: Confirm[\s\S]*#verify-email=\S+/)

    assert.match(linkIn({ text }).url, /^http:\/\/127\.0\.0\.1:\d+\/$/)
  })

  it('is sent through the SMTP server of SMTP_URL', async () => {
    const mailbox = await startMailbox()

    place = await makePlace()
    const service = await place.start({
      SMTP_URL: mailbox.url,
      NODE_CONFIG: JSON.stringify({ data: place.data, mail: { from }, rateLimit: false })
    })

    await service.client.signUp({ email: 'ada@example.com' })
    await mailbox.next('ada@example.com')
    await mailbox.close()
  })

  it('sends no password to a server that does not encrypt', async () => {
    const seen: string[] = []
    const server = new SMTPServer({
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      onAuth({ username = '' }, _session, done) {
        seen.push(username)
        done(null, { user: username })
      }
    })

    server.listen(0, '127.0.0.1')
    await once(server.server, 'listening')

    const { port } = server.server.address() as AddressInfo
    const settings = mailTo({ url: `smtp://ada:secret@127.0.0.1:${port}` })

    await withApp({ settings }, async (t) => {
      await restClient(t.address).signUp()
      await poll(
        () => t.db.collection('outbox').findOne({ attempts: 1, claim: { $exists: false } }),
        'the failure',
        10_000
      )
    })
    await new Promise<void>((resolve) => server.close(() => resolve()))
    assert.deepEqual(seen, [])
  })

  it('tells users of a sign-in from a new device', async () => {
    const mails: Mail[] = []

    await withApp(
      { settings: mailTo({ url: '' }, { mail: { from } }), deliver: async (mail) => mails.push(mail) },
      async (t) => {
        const client = restClient(t.address)
        const { email } = await client.signUp()

        await client.signIn(email)
        await client.signIn(email)
        await client.signIn(email, { device: { id: 'other', name: 'Phone <b>' } })

        const mail = await poll(() => mails.find(({ kind }) => kind === 'new-device'), 'the mail', 10_000)

        assert.match(mail.text, /from Phone <b> \(127\.0\.0\.1\), at 20\S+ \S+ UTC\./)
        assert.match(mail.html!, /Phone &lt;b&gt;/)
        assert.equal(mails.filter(({ kind }) => kind === 'new-device').length, 1)
      }
    )
  })

  it('holds what others may have chosen as one short line without a link', async () => {
    const mails: Mail[] = []
    const folder = await mkdtemp(join(tmpdir(), 'moult-plain-'))
    const file = join(folder, 'named.mjs')
    const bait =
      'your TV.\n\nIMPORTANT:\u202e claim it at https://evil.example/0 or a@evil.example, www.evil.example'

    await writeFile(
      file,
      'export default { "verify-email": ({ user }) => ({ subject: user.name, text: user.name }) }'
    )

    try {
      await withApp(
        {
          settings: mailTo({ url: '' }, { mail: { from, templates: file } }),
          deliver: async (mail) => mails.push(mail)
        },
        async (t) => {
          const client = restClient(t.address)
          const { email } = await client.signUp({ name: bait.slice(0, 100) })
          const next = (kind: string) => poll(() => mails.find((mail) => mail.kind === kind), kind, 10_000)

          await client.signIn(email)
          await client.signIn(email, { device: { id: 'other', name: bait.slice(0, 100) } })
          await client.ask('POST', '/authentication', {
            headers: { 'User-Agent': 'x'.repeat(400) },
            body: { strategy: 'local', email, password: 'correct horse battery' }
          })

          const { text, html } = await poll(
            () => mails.find((mail) => mail.kind === 'new-device' && !/from x+…/.test(mail.text)),
            'the first',
            10_000
          )
          const written = await next('verify-email')
          const line = 'your TV IMPORTANT claim it at https //evil example/0 or a evil example, www evil'

          assert.ok(text.includes(`from ${line}`), text)
          assert.doesNotMatch(text + html!, /evil\.example|https?:\/\/evil/)
          assert.equal(written.subject, written.text)
          assert.ok(written.text.startsWith(line), written.text)

          const long = await poll(() => mails.find(({ text }) => /from x+…/.test(text)), 'the other', 10_000)

          assert.match(long.text, /from x{99}… \(127\.0\.0\.1\), at/)
        }
      )
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('says how long a link is still good, however long the mail had to wait', async () => {
    const mails: Mail[] = []
    let isAway = true
    const deliver = async (mail: Mail) => {
      if (isAway) {
        throw new Error('Not now')
      }
      mails.push(mail)
    }

    await withApp(
      {
        settings: mailTo(
          { url: '' },
          {
            mail: { from },
            authentication: { authStrategies: ['jwt', 'local', 'refresh-token', 'email-code'] }
          }
        ),
        deliver
      },
      async (t) => {
        const client = restClient(t.address)
        const { email } = await client.signUp()
        const failed = (kind: string) =>
          t.db.collection('outbox').findOne({ kind, attempts: 1, claim: { $exists: false } })

        await client.ask('POST', '/password-resets', { body: { email } })
        await client.ask('POST', '/sign-in-codes', { body: { email } })
        await poll(() => failed('password-reset'), 'the failure', 10_000)
        await poll(() => failed('sign-in-code'), 'the failure', 10_000)
        isAway = false
        t.clock.advance(6 * 60_000)

        const next = (kind: string) => poll(() => mails.find((mail) => mail.kind === kind), kind, 10_000)

        assert.match((await next('sign-in-code')).text, /valid for 4 minutes/)

        const reset = await next('password-reset')
        const { id, token } = linkIn(reset)

        assert.match(reset.text, /valid for 30 minutes/)
        t.clock.advance(29 * 60_000)

        const { status } = await client.ask('PATCH', `/password-resets/${id}`, {
          body: { token, password: 'another horse battery' }
        })

        assert.equal(status, 200)
      }
    )
  })

  it('is delivered by a function of the app, and tried again if that rejects', async () => {
    const mails: Mail[] = []
    let attempts = 0
    const deliver = async (mail: Mail) => {
      attempts++

      if (attempts === 1) {
        throw new Error('Not now')
      }
      mails.push(mail)
    }

    await withApp({ settings: mailTo({ url: 'smtp://127.0.0.1:1' }), deliver }, async (t) => {
      const { email } = await restClient(t.address).signUp()

      await poll(() => attempts === 1, 'the first attempt')
      await poll(
        () => t.db.collection('outbox').findOne({ attempts: 1, claim: { $exists: false } }),
        'the failure'
      )
      t.clock.advance(5000)
      await poll(() => mails.length === 1, 'the mail')
      assert.equal(mails[0]!.to, email)
      assert.equal(mails[0]!.kind, 'verify-email')
      assert.equal(mails[0]!.from, from)
    })
  })
})
