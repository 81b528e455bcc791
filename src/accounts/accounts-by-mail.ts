import type { CollationOptions, Collection, Document } from 'mongodb'
import type { AuthenticationService, Device } from '../refresh-token/index.js'
import { AccountUsers, type AccountUser, type Notice } from './account-users.js'
import { EmailChanges } from './email-changes.js'
import { EmailVerifications } from './email-verifications.js'
import { FactorNotices } from './factor-notices.js'
import { lives } from './lives.js'
import { MailLimits, type KnownAs } from './mail-limits.js'
import { Composer } from './mails/composer.js'
import type { Deliver, Mail, MailTemplates } from './mails/mail.js'
import { plain, plainIn } from './mails/plain.js'
import type { StoredJob } from './outbox/job.js'
import { OutboxStore } from './outbox/outbox-store.js'
import { Outbox } from './outbox/outbox.js'
import { PasswordResets } from './password-resets.js'
import { SignInCodes, type LimitGuesses } from './sign-in-codes.js'

export interface AccountsByMailOptions {
  authentication: AuthenticationService
  /** The sender of mails: `Example <hello@example.com>`. */
  from?: string
  /** The URL that links lead to, without a fragment. Never taken from a request. */
  url: string
  /** Without it there is no mail: the outbox is not started, and an operator hands over links to choose a password. */
  deliver?: Deliver
  /** Templates that replace the default ones, by kind. */
  templates?: Partial<MailTemplates>
  /** The collation of the unique index on the address. */
  collation?: CollationOptions
  /**
   * Fields of the app's users that somebody could sign in with, such as an API key, beside passwords, factors and the
   * `<provider>Id` of linked OAuth accounts. They go where an address is proved for the first time.
   */
  waysIn?: string[]
  /** Whether a token of another package, whose links were imported, matches a hash stored by that package. */
  matchesPrevious?: (token: string, hash: string) => Promise<boolean>
  /**
   * Whether another mail may be sent; always, by default. The requester doesn't learn the answer.
   *
   * @param key What mails are counted under: an address; an address with who asked, or with the kind of a notice; `known`
   *   and an address, for the clients that its account knows; `by` and the id of a user who gives other addresses
   */
  mayMail?: (key: string) => Promise<boolean>
  /**
   * Limits wrong codes, across all codes of an address. By default, only the guesses at each code are limited.
   *
   * @param key The address; for a client that the account knows, with what it is known by
   */
  limitGuesses?: LimitGuesses
  /** What an account knows a client by. By default, only the user who is signed in is known. */
  knownAs?: KnownAs
  /** The clock: ms since 1970. */
  now?: () => number
  /** Called with a sentence when mail can't be sent, and when it can again. */
  warn?: (sentence: string) => void
}

/** Accounts by mail: email verification, password resets, sign-in codes, and the outbox that sends the mails. */
export class AccountsByMail {
  readonly users: AccountUsers
  readonly outbox: Outbox
  readonly composer: Composer
  readonly passwordResets: PasswordResets
  readonly emailVerifications: EmailVerifications
  readonly emailChanges: EmailChanges
  readonly signInCodes: SignInCodes
  readonly factorNotices: FactorNotices
  readonly #deliver: Deliver | undefined
  readonly #limits: MailLimits
  readonly #mails: Record<string, (job: StoredJob) => Promise<Mail | undefined>>

  constructor({
    authentication,
    from = '',
    url,
    deliver,
    templates = {},
    collation,
    waysIn,
    matchesPrevious,
    mayMail = async () => true,
    limitGuesses = (_key, guess) => guess(),
    knownAs = async () => undefined,
    now = authentication.now,
    warn = (sentence) => process.emitWarning(sentence)
  }: AccountsByMailOptions) {
    this.#deliver = deliver
    this.users = new AccountUsers({ authentication, collation, waysIn, matchesPrevious, now })
    this.composer = new Composer({ from, url, templates, shown: (user) => this.#shown(user) })
    this.outbox = new Outbox({
      store: new OutboxStore(this.users.collection as unknown as () => Promise<Collection>, now),
      send: (job) => this.#send(job),
      collect: () =>
        this.users.takeNotices(({ _id, ...notice }) => this.outbox.add(notice, lives.notice, _id)),
      now,
      warn
    })

    const { users, outbox, composer } = this
    const limits = new MailLimits({ users, knownAs, mayMail })

    this.#limits = limits
    this.passwordResets = new PasswordResets({
      users,
      outbox,
      composer,
      limits,
      isMailed: deliver !== undefined
    })
    this.emailChanges = new EmailChanges({ users, composer, limits })
    this.emailVerifications = new EmailVerifications({
      users,
      outbox,
      composer,
      limits,
      changes: this.emailChanges
    })
    this.signInCodes = new SignInCodes({ users, outbox, composer, limits, limitGuesses })
    this.factorNotices = new FactorNotices({ users, composer, changes: this.emailChanges, limits })

    const { passwordResets, emailVerifications, emailChanges, signInCodes, factorNotices } = this

    this.#mails = {
      'already-registered': (job) => emailVerifications.mailOfTaken(job),
      'verify-email': (job) => emailVerifications.mail(job),
      'email-changing': (job) => emailChanges.mailOfRequest(job),
      'email-changed': (job) => emailChanges.mailOfChange(job),
      'password-reset': (job) => passwordResets.mail(job),
      'password-changed': (job) => passwordResets.mailOfChange(job),
      'sign-in-code': (job) => signInCodes.mail(job),
      'new-device': (job) => this.#mailOfDevice(job),
      'factor-added': (job) => factorNotices.mailOfAdded(job),
      'factor-removed': (job) => factorNotices.mailOfRemoved(job),
      'recovery-code-used': (job) => factorNotices.mailOfCode(job)
    }
  }

  /** Creates the indexes that links are found by, and starts sending. */
  async start(): Promise<void> {
    await this.users.makeIndexes()
    this.outbox.start()
  }

  /** The mails that a request for another address needs, to be stored with it: to the current address, and the new one. */
  noticesOfRequest(user: AccountUser, newEmail: string): Notice[] {
    return [
      this.emailChanges.noticeOfRequest(user, newEmail),
      this.emailVerifications.noticeOfRequest(this.users.idOf(user), newEmail)
    ]
  }

  /** Mails a user about a sign-in from a new device. */
  async tellOfDevice(userId: string, { name, userAgent, ip }: Device, at: Date): Promise<void> {
    const what = plain(name ?? userAgent ?? '') || 'an unknown program'
    const device = ip === undefined ? what : `${what} (${ip})`
    const time = `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`

    await this.outbox.add({ kind: 'new-device', userId, data: { device, time } }, lives.notice)
  }

  async #mailOfDevice(job: StoredJob): Promise<Mail | undefined> {
    const user = await this.users.byId(job.userId!)
    const told = job.data as { device: string; time: string }

    return user && !user.disabled && (await this.#limits.allowsNotice(job, user, this.users.emailOf(user)))
      ? this.composer.compose('new-device', this.users.emailOf(user), job, user, told)
      : undefined
  }

  /** A user, for templates: in a mail to an address that a stranger signed up with, a stranger has written all of it. */
  #shown(user: Document): Document {
    const { [this.users.emailField]: email, pendingEmail, ...rest } = this.users.shown(user)

    return {
      ...(plainIn(rest) as Document),
      ...(email !== undefined && { [this.users.emailField]: email }),
      ...(pendingEmail !== undefined && { pendingEmail })
    }
  }

  async #send(job: StoredJob): Promise<boolean> {
    const mail = await this.#mails[job.kind]!(job)

    if (mail) {
      await this.#deliver!(mail)
    }

    return mail !== undefined
  }
}
