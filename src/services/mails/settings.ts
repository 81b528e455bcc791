import { Type, type Static } from '@feathersjs/typebox'
import { ConfigurationError } from '../../refresh-token/index.js'
import { switchable } from '../../settings/switchable.js'

/** `mail`: the sender of mails, and how they are sent; `false` turns accounts by mail off. */
export const mailSetting = switchable(
  {
    from: Type.String({
      // An address, or a name with an address in angle brackets
      pattern: '^([^<>\\r\\n]+ <[^\\s<>,;@]+@[^\\s<>,;@]+>|[^\\s<>,;@]+@[^\\s<>,;@]+)$',
      description: 'write whom mails are from, such as "Example <hello@example.com>"'
    }),
    smtp: Type.Optional(
      Type.String({
        pattern: '^smtps?://.',
        description: 'write the URL of an SMTP server, such as smtps://user:password@smtp.example.com'
      })
    ),
    templates: Type.Optional(
      Type.String({ minLength: 1, description: 'write the path of a module that exports templates' })
    )
  },
  'write false, or an object with from, such as {"from": "Example <hello@example.com>"}'
)

/** `accounts`: the page that links in mails lead to, and what an unverified address means. */
export const accountsSetting = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        pattern: '^https?://[^\\s#?/]+(/[^\\s#]*)?$',
        description: 'write the address of a page, such as "https://app.example.com/"'
      })
    ),
    verified: Type.Unsafe<'no' | 'sign-in'>({
      enum: ['no', 'sign-in'],
      description: 'write "no", or "sign-in" to refuse sign-ins of users whose address is not verified'
    })
  },
  { additionalProperties: false, description: 'write an object with url and verified' }
)

export type MailSettings = Exclude<Static<typeof mailSetting>, false>
export type AccountsSettings = Static<typeof accountsSetting>

interface Settings {
  mail: MailSettings | false
  accounts: AccountsSettings
  authentication: { authStrategies?: string[] }
}

/** @throws ConfigurationError if a setting needs mail, which is off, or links would lead nowhere */
export function requireMail({ mail, accounts, authentication }: Settings): void {
  if (!mail && accounts.verified === 'sign-in') {
    throw new ConfigurationError(
      'accounts.verified is "sign-in", but nobody could verify an address without mail: write mail.from, or "no"'
    )
  }
  if (!mail && authentication.authStrategies?.includes('email-code')) {
    throw new ConfigurationError(
      'authentication.authStrategies names "email-code", but no code can be sent without mail: write mail.from, or remove it'
    )
  }
  if (mail && mail.smtp !== undefined && !URL.canParse(mail.smtp)) {
    throw new ConfigurationError(
      'mail.smtp is not a URL: write one such as smtps://user:password@smtp.example.com, with special characters percent-encoded'
    )
  }
  if (mail && accounts.url === undefined && process.env.NODE_ENV === 'production') {
    throw new ConfigurationError(
      'accounts.url is missing: write the address of the page that links in mails lead to, such as "https://app.example.com/"'
    )
  }
}
