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

async function currentPassword(
  { app, service, id }: HookContext<UserService>,
  data: UserPatch
): Promise<string> {
  if (data.currentPassword === undefined) {
    throw invalidData([
      { field: 'currentPassword', message: 'is required to change the email or the password' }
    ])
  }

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
      data.currentPassword
    ))

  if (!hash) {
    throw new Forbidden('The current password is wrong')
  }

  return hash
}
