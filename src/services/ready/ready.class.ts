import { Unavailable } from '@feathersjs/errors'
import type { Database } from '../../mongodb.js'
import type { StreamState, UserChanges } from '../../refresh-token/index.js'

export interface Readiness {
  status: 'ok'
  /** Of the change stream. */
  changes: Exclude<StreamState, 'silent'>
}

/** Whether this instance is to be sent requests. */
export class ReadyService {
  private readonly database: Database
  private readonly changes: UserChanges

  constructor(database: Database, changes: UserChanges) {
    this.database = database
    this.changes = changes
  }

  /** @throws Unavailable while the database can't be reached, or the change stream is not heard that there should be */
  async find(): Promise<Readiness> {
    await this.database.ping()

    const changes = this.changes.state

    if (changes === 'silent') {
      throw new Unavailable('The change stream of the users is not heard')
    }

    return { status: 'ok', changes }
  }
}
