import { createTransport } from 'nodemailer'
import type { Deliver, Mail } from './mail.js'

// ms: servers answer within seconds; the whole attempt is limited too
const timeouts = {
  dnsTimeout: 10_000,
  connectionTimeout: 10_000,
  greetingTimeout: 10_000,
  socketTimeout: 20_000
}

/** What delivers mail by SMTP, over a few connections that are kept open. */
export interface SmtpDelivery {
  deliver: Deliver
  close(): void
}

/**
 * Delivers by SMTP. With a user in the URL, over encrypted connections only.
 *
 * @param url Such as `smtps://user:password@smtp.example.com`
 */
export function smtp(url: string): SmtpDelivery {
  const transport = createTransport({
    url,
    pool: true,
    // Otherwise somebody in between could have the password sent in plain, by hiding that the server can encrypt
    requireTLS: new URL(url).username !== '',
    disableFileAccess: true,
    disableUrlAccess: true,
    ...timeouts
  })

  return {
    deliver: (mail) => transport.sendMail(message(mail)),
    close: () => transport.close()
  }
}

/** The recipient as an object: in a string, a comma would make it two. */
const message = ({ from, to, subject, text, html, messageId }: Mail) => ({
  from,
  to: { name: '', address: to },
  subject,
  text,
  ...(html !== undefined && { html }),
  messageId,
  headers: { 'Auto-Submitted': 'auto-generated' } // RFC 3834 §5: no out-of-office replies
})
