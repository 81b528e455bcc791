import type { Application } from '../declarations.js'
import type { User } from '../services/users/users.schema.js'
import { CommandError } from './answer.js'

/** Finds a user by email, in any case. @throws CommandError if there is none */
export async function findUser(app: Application, email: string): Promise<User> {
  const name = email.toLowerCase()
  const found = await app.service('users').find({ query: { email: name }, paginate: false })
  // The collation treats more characters as equal
  const user = found.find((user) => user.email === name)

  if (!user) {
    throw new CommandError(`There is no user with the email ${email}: see \`moult users list\``)
  }

  return user
}
