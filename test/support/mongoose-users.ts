import { NotFound } from '@feathersjs/errors'
import type { Id, Params } from '@feathersjs/feathers'
import type { Model } from 'mongoose'

/** Users on Mongoose. All that sessions need is `getModel`. */
export class UserService {
  id = '_id'

  // eslint-disable-next-line typescript/no-explicit-any -- of any schema
  private User: Model<any>

  constructor(User: Model<any>) {
    this.User = User
  }

  getModel() {
    return this.User
  }

  async find({ query: { $limit = 10, ...query } = {} }: Params) {
    return this.User.find(query).limit($limit).lean()
  }

  async get(id: Id, { query }: Params) {
    return found(await this.User.findOne({ _id: id, ...query }).lean())
  }

  async create(data: object) {
    const { _id } = await this.User.create(data)

    return this.User.findById(_id).lean()
  }

  async patch(id: Id, data: object) {
    return found(await this.User.findByIdAndUpdate(id, data, { new: true }).lean())
  }

  async remove(id: Id) {
    return found(await this.User.findByIdAndDelete(id).lean())
  }
}

function found<T>(user: T | null): T {
  if (!user) {
    throw new NotFound('There is no such user')
  }

  return user
}
