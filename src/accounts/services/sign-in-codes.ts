import type { Params } from '@feathersjs/feathers'
import type { AccountsByMail } from '../accounts-by-mail.js'
import type { Client } from '../outbox/job.js'

/** The service `sign-in-codes`: mails codes to sign in with. */
export class SignInCodeService {
  private readonly accounts: AccountsByMail
  private readonly clientOf: (params: Params) => Client

  /** @param clientOf The client that makes a call */
  constructor(accounts: AccountsByMail, clientOf: (params: Params) => Client) {
    this.accounts = accounts
    this.clientOf = clientOf
  }

  /**
   * Requests a code that only works with the returned id. The answer is the same whether or not there is an account.
   */
  async create({ email }: { email: string }, params: Params = {}): Promise<{ id: string }> {
    return { id: await this.accounts.signInCodes.ask(email, this.clientOf(params)) }
  }
}
