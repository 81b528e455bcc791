/** What this service uses of accounts by mail beyond the public API. Not among the package's `exports`. */
export { AccountsByMail } from './accounts-by-mail.js'
export { hiddenFields, indexedFields, type Notice } from './account-users.js'
export { EmailCodeStrategy } from './email-code-strategy.js'
export { smtp, type SmtpDelivery } from './mails/smtp.js'
export type { MailOutcome, Outbox } from './outbox/outbox.js'
export { EmailVerificationService } from './services/email-verifications.js'
export { PasswordResetService } from './services/password-resets.js'
export { SignInCodeService } from './services/sign-in-codes.js'
