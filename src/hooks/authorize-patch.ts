import { Forbidden, MethodNotAllowed, NotFound } from '@feathersjs/errors'
import type { HookContext } from '../declarations.js'
import { invalidData } from '../refresh-token/validation.js'
import { isAdmin } from '../roles.js'
import type { UserService } from '../services/users/users.class.js'
import type { UserPatch } from '../services/users/users.schema.js'
import { verifyStoredPassword } from '../stored-password.js'

const forAdmins = ['roles', 'disabled'] as const
const withPassword = ['email', 'password'] as const

/**
 * Before `patch` of a user by a client: who may change what. Email and password take the current password of whose
 * they are, an admin's own too, so that a session left open is not enough to take over an account.
 *
 * @throws TooManyRequests for wrong guesses of it
 */
export const authorizePatch = () => async (context: HookContext<UserService>) => {
  const { params, id, service } = context
  const data = context.data as UserPatch

  if (!params.provider) {
    return
  }

  if (id === null || id === undefined) {
    throw new MethodNotAllowed('Can not patch multiple entries')
  }

  const user = params.user!
  const own = String(service.getObjectId(id)) === String(user._id)

  if (!own && !isAdmin(user)) {
    throw new NotFound(`No record found for id '${id}'`)
  }

  const forbidden = forAdmins.find((field) => data[field] !== undefined)

  if (forbidden && !isAdmin(user)) {
    throw new Forbidden(`Only an admin changes '${forbidden}'`)
  }
  if (own && withPassword.some((field) => data[field] !== undefined)) {
    context.params = { ...params, unchanged: { password: await currentPassword(context, data) } }
  }
}

/** The hash of the current password, once that was given. Wrong guesses are limited: a session may be in wrong hands. */
async function currentPassword(context: HookContext<UserService>, data: UserPatch): Promise<string> {
  const { currentPassword: guess } = data
  const { account } = context.app.get('rateLimits').currentPassword

  if (guess === undefined) {
    throw invalidData([
      { field: 'currentPassword', message: 'is required to change the email or the password' }
    ])
  }

  const verify = () => verifyCurrent(context, guess)

  return account ? account.attempt(String(context.params.user!._id), verify) : verify()
}

async function verifyCurrent({ app, service, id }: HookContext<UserService>, guess: string): Promise<string> {
  const users = await service.getModel()
  const stored = await users.findOne(
    { _id: service.getObjectId(id!) as never },
    { projection: { password: 1 } }
  )

  const hash =
    stored &&
    (await verifyStoredPassword(
      app.get('hasher'),
      { users, id: stored._id, field: 'password', hash: stored.password },
      guess
    ))

  if (!hash) {
    throw new Forbidden('The current password is wrong')
  }

  return hash
}
