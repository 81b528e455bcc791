import { NotAuthenticated } from '@feathersjs/errors'

/** 401 for the correct password of a user whose address has not been verified. */
export class Unverified extends NotAuthenticated {
  declare readonly data: { reason: 'unverified' }

  constructor() {
    super('The email address has not been verified', { reason: 'unverified' })
  }
}
