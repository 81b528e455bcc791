import type { Database } from '../../database/database.js'

export class HealthService {
  private readonly database: Database

  constructor(database: Database) {
    this.database = database
  }

  /** @throws Unavailable while the database can't be reached */
  async find(): Promise<{ status: 'ok' }> {
    await this.database.ping()

    return { status: 'ok' }
  }
}
