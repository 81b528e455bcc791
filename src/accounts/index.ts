export { accountsByMail, type AccountsOptions } from './configure.js'
export type { AccountsByMail, AccountsByMailOptions } from './accounts-by-mail.js'
export type { AccountFields, AccountUser } from './account-users.js'
export type { AccountChange } from './services/account-change.js'
export { LinkRefused } from './link-token.js'
export { Unverified } from './unverified.js'
export { moveManagedAccounts, type MoveOptions } from './previous-links.js'
export { templates } from './mails/templates.js'
export type {
  CommonData,
  Deliver,
  Mail,
  MailContent,
  MailData,
  MailKind,
  MailTemplates
} from './mails/mail.js'
