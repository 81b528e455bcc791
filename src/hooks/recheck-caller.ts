import type { Application, HookContext } from '../declarations.js'
import type { Params } from '@feathersjs/feathers'

type Caller = NonNullable<Params['user']>

/**
 * Before a method that writes, as the last hook: checks the caller's session and user again. The call may have waited,
 * for example for its turn to hash a password, and the caller's rights may have changed in the meantime.
 *
 * @throws Refused `revoked`, `expired`, `disabled`
 */
export const recheckCaller = () => async (context: HookContext) => {
  const { app, params } = context

  if (params.provider && params.user) {
    const { roles } = await currentCaller(app, params)

    context.params = { ...params, user: { ...params.user, roles } }
  }
}

/** The user who makes a call, as the database has it now. @throws Refused */
export async function currentCaller(
  app: Application,
  { user, session }: Params
): Promise<Pick<Caller, 'roles'>> {
  const { sessions } = app.service('authentication')
  const id = String(user!._id)
  // An accepted token of stock Feathers belongs to no session
  const { roles = [] } = session ? (await sessions.find(id, session.id)).user : await sessions.findUser(id)

  return { roles }
}
