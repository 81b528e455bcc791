import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { simpleParser, type ParsedMail } from 'mailparser'
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server'
import type { Settings } from './app.js'
import { noteSecrets } from './log.js'
import { poll } from './socket.js'

export interface ReceivedMail {
  to: string
  /** Of the envelope. */
  recipients: string[]
  from: string
  subject: string
  text: string
  html: string
  messageId: string
  headers: ParsedMail['headers']
}

/** What the server does with mails: `hang` answers nothing, `drop` takes the mail and breaks the connection. */
export type Behaviour = 'accept' | 'refuse for now' | 'refuse for good' | 'hang' | 'drop'

export interface Mailbox {
  /** smtp://127.0.0.1:12345 */
  url: string
  behaviour: Behaviour
  /** All mails so far, oldest first. */
  mails: ReceivedMail[]
  /** The next mail to an address that was not taken. Fails after 10 s. */
  next(to: string): Promise<ReceivedMail>
  /** How many mails came to an address. */
  count(to: string): number
  close(): Promise<void>
}

export const pageUrl = 'https://app.example.com/account'

/** Settings with which an app mails there. */
export const mailTo = ({ url }: Pick<Mailbox, 'url'>, more: Settings = {}): Settings => ({
  mail: { from: 'Example <hello@example.com>', smtp: url },
  accounts: { url: pageUrl },
  ...more
})

/** Starts a real SMTP server. */
export async function startMailbox(port = 0): Promise<Mailbox> {
  const mails: ReceivedMail[] = []
  const taken = new Set<ReceivedMail>()
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    closeTimeout: 100,
    onRcptTo(_address, _session, done) {
      const code = { 'refuse for now': 451, 'refuse for good': 550 }[mailbox.behaviour as string]

      if (mailbox.behaviour !== 'hang') {
        done(code ? Object.assign(new Error('Not now'), { responseCode: code }) : null)
      }
    },
    onData(stream, session, done) {
      // A connection that ends in the midst of a mail, whose sender sends it again
      take(stream, session, done).catch(() => undefined)
    }
  })

  async function take(stream: SMTPServerDataStream, { envelope }: SMTPServerSession, done: () => void) {
    mails.push(received(await simpleParser(stream), envelope.rcptTo))

    if (mailbox.behaviour === 'drop') {
      server.connections.forEach((connection) => connection._socket.destroy())
    } else {
      done()
    }
  }

  // Connections that are broken on purpose
  server.on('error', () => undefined)
  server.listen(port, '127.0.0.1')
  await once(server.server, 'listening')

  const mailbox: Mailbox = {
    url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`,
    behaviour: 'accept',
    mails,
    async next(to) {
      const mail = await poll(
        () => mails.find((candidate) => candidate.to === to && !taken.has(candidate)),
        `a mail to ${to}`,
        10_000
      )

      taken.add(mail)
      return mail
    },
    count: (to) => mails.filter((mail) => mail.to === to).length,
    close: () => new Promise((resolve) => server.close(() => resolve()))
  }

  return mailbox
}

function received(parsed: ParsedMail, envelope: false | { address: string }[]): ReceivedMail {
  const { from, to, subject = '', text = '', html, messageId = '', headers } = parsed
  const [, token] = /#[a-z-]+=[\w-]+\.([\w-]+)/.exec(text) ?? []

  noteSecrets({ token })

  return {
    to: [to].flat()[0]!.text,
    recipients: (envelope || []).map(({ address }) => address),
    from: from!.text,
    subject,
    text,
    html: html || '',
    messageId,
    headers
  }
}

/** The link in a mail, taken apart. */
export function linkIn({ text }: { text: string }): {
  url: string
  purpose: string
  id: string
  token: string
} {
  const [, url, purpose, id, token] = /(https?:\S+)#([a-z-]+)=([\w-]+)\.([\w-]+)/.exec(text) ?? []

  assert.ok(url && purpose && id && token, `there is no link in: ${text}`)
  return { url, purpose, id, token }
}

/** The code in a mail. */
export function codeIn({ text }: { text: string }): string {
  const [code] = /^\d{6}$/m.exec(text) ?? []

  assert.ok(code, `there is no code in: ${text}`)
  return code
}
