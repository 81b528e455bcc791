import { Unavailable } from '@feathersjs/errors'
import type { Database } from '../../database/database.js'
import type { Outbox } from '../../accounts/internal.js'
import type { StreamState, UserChanges } from '../../refresh-token/index.js'

export interface Readiness {
  status: 'ok'
  /** The state of the change stream. */
  changes: Exclude<StreamState, 'silent'>
  /** Whether mail has been waiting for more than five minutes; missing without mail. */
  mail?: 'ok' | 'stuck'
}

/** Whether this instance should get requests. */
export class ReadyService {
  private readonly database: Database
  private readonly changes: UserChanges
  private readonly outbox: Outbox | undefined

  constructor(database: Database, changes: UserChanges, outbox?: Outbox) {
    this.database = database
    this.changes = changes
    this.outbox = outbox
  }

  /** @throws Unavailable while the database can't be reached, or there should be a change stream that is silent */
  async find(): Promise<Readiness> {
    await this.database.ping()

    const changes = this.changes.state

    if (changes === 'silent') {
      throw new Unavailable('The change stream of the users is silent')
    }

    // Not a 503: another instance would not get it sent either
    const mail = this.outbox && ((await this.outbox.state()).isStuck ? 'stuck' : 'ok')

    return { status: 'ok', changes, ...(mail && { mail }) }
  }
}
