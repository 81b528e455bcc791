import type { AccountUser, AccountUsers } from './account-users.js'
import type { Client, StoredJob } from './outbox/job.js'

/**
 * What an account knows a client by; undefined for a client that never signed in to it.
 *
 * @param userId The id of the user, or text that is none, so that the work is the same without an account
 */
export type KnownAs = (userId: string, client: Client) => Promise<string | undefined>

export interface MailLimitsOptions {
  users: AccountUsers
  knownAs: KnownAs
  /** Whether another mail may be sent, of those that are counted under a key. */
  mayMail: (key: string) => Promise<boolean>
}

/** How many mails a mailbox gets. Each mail is counted at its first attempt only. */
export class MailLimits {
  readonly #users: AccountUsers
  readonly #knownAs: KnownAs
  readonly #mayMail: MailLimitsOptions['mayMail']

  constructor({ users, knownAs, mayMail }: MailLimitsOptions) {
    this.#users = users
    this.#knownAs = knownAs
    this.#mayMail = mayMail
  }

  /**
   * Whether a mail that somebody asked for may be sent. Each client has a share of what the mailbox gets; one that the
   * account knows has it even if strangers have used the rest up.
   */
  async allowsAsked({ attempts, by = {} }: StoredJob, user: AccountUser): Promise<boolean> {
    if (attempts > 1) {
      return true
    }

    const address = this.#users.emailOf(user).toLowerCase()
    const userId = this.#users.idOf(user)
    const sign = by.userId === userId ? 'user' : by.network

    if (sign !== undefined && !(await this.#mayMail(`${address} ${sign}`))) {
      return false
    }

    return (
      (await this.#mayMail(address)) ||
      ((await this.knownAs(userId, by)) !== undefined && this.#mayMail(`known ${address}`))
    )
  }

  /** Whether a mail that a user asked for may be sent to an address that is not the user's, or not yet. */
  async allowsOther({ attempts, by }: StoredJob, address: string): Promise<boolean> {
    return (
      attempts > 1 ||
      ((by?.userId === undefined || (await this.#mayMail(`by ${by.userId}`))) &&
        (await this.#mayMail(address.toLowerCase())))
    )
  }

  /**
   * Whether a notice may be sent. To the owner of an account each kind is counted apart, so that the first ones of a theft
   * arrive whatever was sent before. To an address that nobody has proved, a notice is a mail like any other.
   */
  async allowsNotice({ attempts, kind }: StoredJob, user: AccountUser | null, to: string): Promise<boolean> {
    const address = to.toLowerCase()

    return attempts > 1 || this.#mayMail(this.#isProved(user, address) ? `${kind} ${address}` : address)
  }

  async knownAs(userId: string, client: Client): Promise<string | undefined> {
    return client.userId === userId ? 'user' : this.#knownAs(userId, client)
  }

  #isProved(user: AccountUser | null, address: string): boolean {
    const { emailVerified = false, formerEmails = [] } = user ?? {}
    const proved = [
      ...formerEmails.map(({ email }) => email),
      ...(user && emailVerified ? [this.#users.emailOf(user)] : [])
    ]

    return proved.some((email) => email.toLowerCase() === address)
  }
}
