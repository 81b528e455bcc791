import { Forbidden, MethodNotAllowed } from '@feathersjs/errors'
import type { HookContext } from '../../declarations.js'
import { invalidData } from '../../refresh-token/index.js'
import { requireRecentFor } from './delicate.js'
import { requireRights } from './rights.js'
import type { UserService } from './users.class.js'
import type { UserPatch } from './users.schema.js'
import { verifyStoredPassword } from '../../passwords/verify.js'

const withPassword = ['email', 'password'] as const

/**
 * Before `patch` of a user by a client: checks who may change what. Changing one's own email or password takes the
 * current password, for admins too, so that an open session is not enough to take over an account.
 *
 * @throws TooManyRequests after too many wrong passwords
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
  const target = String(service.getObjectId(id))

  requireRights(user, { id: target, data })
  await requireRecentFor(context)

  if (target === String(user._id) && withPassword.some((field) => data[field] !== undefined)) {
    context.params = { ...params, unchanged: { password: await currentPassword(context, data) } }
  }
}

/**
 * The hash of the current password, once verified. Wrong guesses are limited, since the session may be stolen; in each session
 * apart, so that whoever has one can't keep the user from a change in another.
 */
async function currentPassword(
  context: HookContext<UserService>,
  data: UserPatch
): Promise<string | { $exists: false }> {
  const { currentPassword: guess } = data
  const { account } = context.app.get('rateLimits').currentPassword

  if (guess === undefined && !(await hasPassword(context))) {
    return { $exists: false } // it takes a recent sign-in instead
  }
  if (guess === undefined) {
    throw invalidData([
      { field: 'currentPassword', message: 'is required to change the email or the password' }
    ])
  }

  const verify = () => verifyCurrent(context, guess)

  const { session, user } = context.params

  return account ? account.attempt(session?.id ?? String(user!._id), verify) : verify()
}

async function hasPassword({ app, params }: HookContext<UserService>): Promise<boolean> {
  const service = app.service('authentication')

  return service.hasPassword(await service.storedUser(String(params.user!._id)))
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
