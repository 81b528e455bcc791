import type { Params } from '@feathersjs/feathers'

/** A change of an account through a link in a mail. */
export interface AccountChange {
  type: 'password-changed' | 'email-changed' | 'email-verified' | 'email-kept'
  userId: string
  /** The params of the call that made it. */
  params: Params
}
