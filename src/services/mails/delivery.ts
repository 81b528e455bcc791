import { type Mail } from '../../accounts/index.js'
import { smtp, type SmtpDelivery } from '../../accounts/internal.js'
import type { Application } from '../../declarations.js'
import { ConfigurationError } from '../../refresh-token/index.js'
import type { MailSettings } from './settings.js'

/** Delivers mail with the app's function, by SMTP, or in development to the terminal. @throws ConfigurationError */
export function deliveryOf(app: Application, { smtp: url }: MailSettings): SmtpDelivery {
  const deliver = app.get('deliver')

  if (deliver) {
    return { deliver, close: () => undefined }
  }
  if (url !== undefined) {
    return smtp(url)
  }
  if (process.env.NODE_ENV === 'production') {
    throw new ConfigurationError(
      'mail.smtp is missing: set SMTP_URL to the URL of an SMTP server, such as smtps://user:password@smtp.example.com'
    )
  }

  return { deliver: async (mail) => print(mail), close: () => undefined }
}

/** To the terminal rather than to the log, which never holds a link. */
function print({ to, subject, text }: Mail): void {
  console.log(`\nA mail to ${to}: ${subject}\n\n${text.replaceAll(/^/gm, '  ')}`)
}
