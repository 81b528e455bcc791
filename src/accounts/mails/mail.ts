import type { Document } from 'mongodb'

/** A mail that is ready to be sent. */
export interface Mail {
  kind: MailKind
  /** As configured: an address, or a name with an address. */
  from: string
  /** One address. */
  to: string
  subject: string
  text: string
  html?: string
  /** The same at each attempt to send it, so that a mail that arrives twice is recognised (RFC 5322 §3.6.4). */
  messageId: string
}

/** Sends a mail. Rejects if it could not be sent now, and it is tried again. */
export type Deliver = (mail: Mail) => Promise<unknown>

/** What a template makes of the data of a mail. */
export interface MailContent {
  subject: string
  text: string
  html?: string
}

/** What all templates get. */
export interface CommonData {
  /** Who sends the mail: the name in `from`, or the host of the page. */
  sender: string
  /** The page that links lead to. */
  url: string
  /** Whom it goes to. */
  email: string
  /** The user, as it is stored, without password, sessions and links: for the name and the language. */
  user: Document
}

/** A link that is good for some time. */
export interface LinkData {
  link: string
  /** How long the link is good, minutes. */
  minutes: number
}

/** The data that the template of each kind of mail gets, besides that of all. */
export interface MailData {
  /** Proves an address: after a sign-up, or before a change of address. */
  'verify-email': LinkData
  'password-reset': LinkData
  'password-changed': object
  /** To the old address, when a change was asked for. */
  'email-changing': { newEmail: string }
  /** To the old address, with a link that takes the change back; to the new one without. */
  'email-changed': Partial<LinkData> & { oldEmail: string; newEmail: string }
  /** To the owner of an address with which somebody signed up again, or wanted to change to. */
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

/** The templates, by kind: each makes the content of a mail of its data. */
export type MailTemplates = {
  [K in MailKind]: (data: CommonData & MailData[K]) => MailContent | Promise<MailContent>
}
