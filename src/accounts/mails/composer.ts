import type { Document, ObjectId } from 'mongodb'
import type { CommonData, Mail, MailData, MailKind, MailTemplates } from './mail.js'
import { templates as ours } from './templates.js'

export interface ComposerOptions {
  /** The configured sender: `Example <hello@example.com>`. */
  from: string
  /** The URL that links lead to. */
  url: string
  templates?: Partial<MailTemplates> | undefined
  /** What templates see of a user. */
  shown: (user: Document) => Document
}

/** Composes mails from templates and data. */
export class Composer {
  readonly #from: string
  readonly #url: string
  readonly #shown: ComposerOptions['shown']
  #templates: MailTemplates

  constructor({ from, url, templates, shown }: ComposerOptions) {
    this.#from = from
    this.#url = url
    this.#shown = shown
    this.#templates = { ...ours, ...templates }
  }

  /** Replaces some of the templates. */
  replace(templates: Partial<MailTemplates>): void {
    this.#templates = { ...this.#templates, ...templates }
  }

  /**
   * @param job Gives the mail its id, which is the same at each attempt to send it
   * @param user The user it is about; null if the user no longer exists
   * @returns Undefined for a user without an address
   */
  async compose<K extends MailKind>(
    kind: K,
    to: string,
    { _id }: { _id: ObjectId },
    user: Document | null,
    data: MailData[K]
  ): Promise<Mail | undefined> {
    if (to === '') {
      return undefined
    }

    const common: CommonData = {
      sender: this.#sender,
      url: this.#url,
      email: to,
      user: this.#shown(user ?? {})
    }
    const content = await this.#templates[kind]({ ...common, ...data })

    return {
      kind,
      from: this.#from,
      to,
      ...content,
      messageId: `<${_id.toHexString()}@${new URL(this.#url).hostname}>`
    }
  }

  /** A link to the page, with a token in its fragment, which browsers don't send to servers (RFC 9110 §4.2.5). */
  link(purpose: string, id: string, token: string): string {
    return `${this.#url}#${purpose}=${id}.${token}`
  }

  get #sender(): string {
    const [, name] = /^"?([^"<]*?)"? *</.exec(this.#from) ?? []

    return name || new URL(this.#url).hostname
  }
}
