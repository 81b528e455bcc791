import { createTransport } from 'nodemailer'
import type { Deliver, Mail } from './mail.js'

// ms: servers answer within seconds. The whole attempt is limited too
const timeouts = {
  dnsTimeout: 10_000,
  connectionTimeout: 10_000,
  greetingTimeout: 10_000,
  socketTimeout: 20_000
}

/** Delivers mail by SMTP, over a few connections that are kept open. */
export interface SmtpDelivery {
  deliver: Deliver
  close(): void
}

/**
 * Delivers mail by SMTP. If the URL contains a user, only encrypted connections are used.
 *
 * @param url Such as `smtps://user:password@smtp.example.com`
 */
export function smtp(url: string): SmtpDelivery {
  const transport = createTransport({
    url,
    pool: true,
    // Otherwise a man in the middle could hide that the server supports TLS, and read the password
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

/** The recipient is an object: in a string, a comma would make it two recipients. */
const message = ({ from, to, subject, text, html, messageId }: Mail) => ({
  from,
  to: { name: '', address: to },
  subject,
  text,
  ...(html !== undefined && { html }),
  messageId,
  headers: { 'Auto-Submitted': 'auto-generated' } // RFC 3834 §5: no out-of-office replies
})
