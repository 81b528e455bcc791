import type { Params } from '@feathersjs/feathers'
import type { AccountUser } from '../account-users.js'
import type { AccountsByMail } from '../accounts-by-mail.js'
import type { Client } from '../outbox/job.js'
import type { AccountChange } from './account-change.js'

export interface PasswordResetOptions {
  accounts: AccountsByMail
  /** Hashes the password that a user chose. @throws BadRequest for a password that users may not choose */
  hash: (password: string, user: AccountUser) => Promise<string>
  /** The client that makes a call. */
  clientOf: (params: Params) => Client
  /** Called when a password has been set. */
  report?: (change: AccountChange) => void
}

/** The service `password-resets`, for users who forgot their password. */
export class PasswordResetService {
  private readonly options: PasswordResetOptions

  constructor(options: PasswordResetOptions) {
    this.options = options
  }

  /** Requests a mail with a link. Answer and work are the same whether or not an account has the address. */
  async create({ email }: { email: string }, params: Params = {}): Promise<object> {
    const { accounts, clientOf } = this.options

    await accounts.passwordResets.ask(email, clientOf(params))

    return {}
  }

  /** Uses the link: sets a password and ends all sessions. @throws LinkRefused; BadRequest for a refused password */
  async patch(
    id: string,
    { token, password }: { token: string; password: string },
    params: Params = {}
  ): Promise<object> {
    const { accounts, hash, report } = this.options
    const user = await accounts.passwordResets.use(id, token, (owner) => hash(password, owner))

    report?.({ type: 'password-changed', userId: accounts.users.idOf(user), params })
    return {}
  }
}
