import type { Document } from 'mongodb'

/** A mail that is ready to send. */
export interface Mail {
  kind: MailKind
  /** The configured sender: an address, or a name with an address. */
  from: string
  /** One address. */
  to: string
  subject: string
  text: string
  html?: string
  /** The same at each attempt to send it, so that a mail that arrives twice is recognised (RFC 5322 §3.6.4). */
  messageId: string
}

/** Sends a mail. Rejects if that failed; it is then tried again. */
export type Deliver = (mail: Mail) => Promise<unknown>

/** The content of a mail, as its template returns it. */
export interface MailContent {
  subject: string
  text: string
  html?: string
}

/** The data that all templates get. */
export interface CommonData {
  /** The sender's name: the one in `from`, or the host of the page. */
  sender: string
  /** The URL that links lead to. */
  url: string
  /** The recipient. */
  email: string
  /** The stored user without password, sessions and links: for the name and the language. */
  user: Document
}

/** A link that is valid for a limited time. */
export interface LinkData {
  link: string
  /** How long the link is valid, minutes. */
  minutes: number
}

/** The data that the template of each kind gets in addition. */
export interface MailData {
  /** Verifies an address: after a sign-up, or before a change of address. */
  'verify-email': LinkData
  'password-reset': LinkData
  'password-changed': object
  /** To the old address, when a change was requested. */
  'email-changing': { newEmail: string }
  /** To the old address with a link that reverts the change; to the new one without. */
  'email-changed': Partial<LinkData> & { oldEmail: string; newEmail: string }
  /** To the owner of an address that somebody else tried to sign up with, or to change to. */
  'already-registered': object
  'sign-in-code': { code: string; minutes: number }
  'new-device': { device: string; time: string }
  /** With a link that takes it back, if the address was verified. */
  'factor-added': Partial<LinkData> & { kind: string }
  /** The `kind` is `all` where an admin removed them. */
  'factor-removed': { kind: string }
  'recovery-code-used': { left: number }
}

export type MailKind = keyof MailData

/** The templates, by kind. Each makes the content of a mail from its data. */
export type MailTemplates = {
  [K in MailKind]: (data: CommonData & MailData[K]) => MailContent | Promise<MailContent>
}
