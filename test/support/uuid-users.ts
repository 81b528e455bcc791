import { MongoDBService } from '@feathersjs/mongodb'
import { UUID } from 'mongodb'

/** Users whose ids are UUIDs, which the adapter by itself takes for no ids. */
export class UserService extends MongoDBService {
  // eslint-disable-next-line typescript/no-explicit-any -- an ObjectId, says the adapter
  override getObjectId(id: unknown): any {
    return typeof id === 'string' ? new UUID(id) : id
  }

  override filterQuery(id: unknown, params: object) {
    return super.filterQuery(id instanceof UUID ? id.toString() : (id as string | null), params)
  }
}
