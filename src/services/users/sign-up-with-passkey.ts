import { hooks as schemaHooks } from '@feathersjs/schema'
import { isDuplicate } from '../../database/indexes.js'
import type { HookContext, NextFunction } from '../../declarations.js'
import { known } from '../../passkeys/internal.js'
import type { UserService } from './users.class.js'
import { userDataValidator, userWithPasskeyValidator } from './users.schema.js'

/** Before a user is created: the data are those of a user with a password, or with a passkey where there are passkeys. */
export const validateNewUser = () => {
  const withPassword = schemaHooks.validateData(userDataValidator)
  const withPasskey = schemaHooks.validateData(userWithPasskeyValidator)

  return (context: HookContext<UserService>) =>
    hasPasskey(context) ? withPasskey(context) : withPassword(context)
}

/** Around the creation of a user: tells a passkey that another user has from an email that one has. @throws Conflict */
export const refuseKnownPasskey = () => async (_context: HookContext<UserService>, next: NextFunction) => {
  try {
    await next()
  } catch (error) {
    throw isDuplicate(error) && isOfPasskey(error) ? known() : error
  }
}

const hasPasskey = ({ app, data }: HookContext<UserService>): boolean =>
  app.get('passkeys') !== undefined && 'passkey' in (data as object)

/** The Feathers adapter leaves only the message of the driver's error, which begins with the name of the index. */
const isOfPasskey = (error: unknown): boolean => (error as Error).message.includes('index: factors.id_1 ')
