import type { CollationOptions, Collection } from 'mongodb'
import type { AuthenticationService } from '../refresh-token/index.js'
import { AccountUsers } from './account-users.js'
import { EmailChanges } from './email-changes.js'
import { EmailVerifications } from './email-verifications.js'
import { FactorNotices } from './factor-notices.js'
import { lives } from './lives.js'
import { Composer } from './mails/composer.js'
import type { Deliver, Mail, MailTemplates } from './mails/mail.js'
import type { MayMail } from './may-mail.js'
import type { StoredJob } from './outbox/job.js'
import { OutboxStore } from './outbox/outbox-store.js'
import { Outbox } from './outbox/outbox.js'
import { PasswordResets } from './password-resets.js'
import { SignInCodes, type LimitGuesses } from './sign-in-codes.js'

export interface AccountsByMailOptions {
  authentication: AuthenticationService
  /** Whom mails are from: `Example <hello@example.com>`. */
  from: string
  /** The page that links lead to, without a fragment. Never taken from a request. */
  url: string
  deliver: Deliver
  /** Templates in place of ours, by kind. */
  templates?: Partial<MailTemplates>
  /** Of the unique index on the address. */
  collation?: CollationOptions
  /** Whether a token of another package, whose links were imported, has a hash that it stored. */
  matchesPrevious?: (token: string, hash: string) => Promise<boolean>
  /**
   * Whether an address may be mailed what somebody asked for; any may, by default. Whoever asked is not told.
   *
   * @param isOwn Whether that was somebody who was signed in to the account
   */
  mayMail?: (address: string, isOwn: boolean) => Promise<boolean>
  /** Limits the wrong codes for an address, over all codes; by default only those of each code are. */
  limitGuesses?: LimitGuesses
  /** The clock: ms since 1970. */
  now?: () => number
  /** Called with a sentence when mail can't be sent, and when it can again. */
  warn?: (sentence: string) => void
}

/** Accounts by mail: proofs of addresses, ways back in, codes that sign in, and the outbox that sends all that. */
export class AccountsByMail {
  readonly users: AccountUsers
  readonly outbox: Outbox
  readonly composer: Composer
  readonly passwordResets: PasswordResets
  readonly emailVerifications: EmailVerifications
  readonly emailChanges: EmailChanges
  readonly signInCodes: SignInCodes
  readonly factorNotices: FactorNotices
  readonly #deliver: Deliver
  readonly #mails: Record<string, (job: StoredJob) => Promise<Mail | undefined>>

  constructor({
    authentication,
    from,
    url,
    deliver,
    templates = {},
    collation,
    matchesPrevious,
    mayMail: allows = async () => true,
    limitGuesses = (_email, guess) => guess(),
    now = authentication.now,
    warn = (sentence) => process.emitWarning(sentence)
  }: AccountsByMailOptions) {
    this.#deliver = deliver
    this.users = new AccountUsers({ authentication, collation, matchesPrevious, now })
    this.composer = new Composer({ from, url, templates, shown: (user) => this.users.shown(user) })
    this.outbox = new Outbox({
      store: new OutboxStore(this.users.collection as unknown as () => Promise<Collection>, now),
      send: (job) => this.#send(job),
      collect: () =>
        this.users.takeNotices(({ _id, ...notice }) => this.outbox.add(notice, lives.notice, _id)),
      now,
      warn
    })

    const { users, outbox, composer } = this
    // At the first attempt only: further ones are for the same mail
    const mayMail: MayMail = async ({ attempts, by }, address, user) =>
      attempts > 1 || allows(address.toLowerCase(), by !== undefined && by === users.idOf(user))

    this.passwordResets = new PasswordResets({ users, outbox, composer, mayMail })
    this.emailChanges = new EmailChanges({ users, outbox, composer })
    this.emailVerifications = new EmailVerifications({
      users,
      outbox,
      composer,
      mayMail,
      changes: this.emailChanges
    })
    this.signInCodes = new SignInCodes({ users, outbox, composer, mayMail, limitGuesses })

    this.factorNotices = new FactorNotices({ users, composer, changes: this.emailChanges })

    const { passwordResets, emailVerifications, emailChanges, signInCodes, factorNotices } = this

    this.#mails = {
      'already-registered': (job) => emailVerifications.mailOfTaken(job),
      'verify-email': (job) => emailVerifications.mail(job),
      'email-changing': (job) => emailChanges.mailOfAnnouncement(job),
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

  /** Makes the indexes by which links are found, and begins to send. */
  async start(): Promise<void> {
    await this.users.makeIndexes()
    this.outbox.start()
  }

  /** Mails a link to the address that a user wants, and tells the present one. */
  async askForChange(userId: string): Promise<void> {
    await this.emailChanges.announce(userId)
    await this.emailVerifications.ask({ userId })
  }

  /** Tells a user of a sign-in from a new device. */
  async tellOfDevice(userId: string, device: string, at: Date): Promise<void> {
    const time = `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`

    await this.outbox.add({ kind: 'new-device', userId, data: { device, time } }, lives.notice)
  }

  async #mailOfDevice(job: StoredJob): Promise<Mail | undefined> {
    const user = await this.users.byId(job.userId!)
    const told = job.data as { device: string; time: string }

    return user && !user.disabled
      ? this.composer.compose('new-device', this.users.emailOf(user), job, user, told)
      : undefined
  }

  async #send(job: StoredJob): Promise<boolean> {
    const mail = await this.#mails[job.kind]!(job)

    if (mail) {
      await this.#deliver(mail)
    }

    return mail !== undefined
  }
}
