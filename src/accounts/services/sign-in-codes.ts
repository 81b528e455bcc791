import type { AccountsByMail } from '../accounts-by-mail.js'

/** The service `sign-in-codes`: mails codes to sign in with. */
export class SignInCodeService {
  private readonly accounts: AccountsByMail

  constructor(accounts: AccountsByMail) {
    this.accounts = accounts
  }

  /**
   * Requests a code that only works with the returned id. The answer is the same whether or not there is an account.
   */
  async create({ email }: { email: string }): Promise<{ id: string }> {
    return { id: await this.accounts.signInCodes.ask(email) }
  }
}
