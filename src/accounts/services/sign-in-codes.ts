import type { AccountsByMail } from '../accounts-by-mail.js'

/** The service `sign-in-codes`: codes that sign in, by mail. */
export class SignInCodeService {
  private readonly accounts: AccountsByMail

  constructor(accounts: AccountsByMail) {
    this.accounts = accounts
  }

  /** Asks for a code, which is good with this id only. Answers the same, whatever account has the address, if any. */
  async create({ email }: { email: string }): Promise<{ id: string }> {
    return { id: await this.accounts.signInCodes.ask(email) }
  }
}
