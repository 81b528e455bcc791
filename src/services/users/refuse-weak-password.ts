import { comparable, isCommonPassword } from '../../passwords/common.js'
import type { HookContext } from '../../declarations.js'
import { invalidData } from '../../refresh-token/index.js'
import type { UserService } from './users.class.js'
import type { UserPatch } from './users.schema.js'

/**
 * Before `create` and `patch` of a user, before the password is hashed: refuses the passwords that attackers try first,
 * the most common ones and the user's own email (NIST SP 800-63B §5.1.1.2).
 */
export const refuseWeakPassword = () => async (context: HookContext<UserService>) => {
  const { password, email = await storedEmail(context) } = context.data as UserPatch

  if (password !== undefined) {
    await requireStrongPassword(password, email)
  }
}

/** @throws BadRequest for one of the passwords that attackers try first */
export async function requireStrongPassword(password: string, email: string | undefined): Promise<void> {
  if (await isCommonPassword(password)) {
    throw invalidData([{ field: 'password', message: 'must not be one of the most common' }])
  }
  if (email !== undefined && namesOf(email).includes(comparable(password))) {
    throw invalidData([{ field: 'password', message: 'must not be the email, nor its part before the @' }])
  }
}

/** The email and its local part. */
function namesOf(email: string): string[] {
  const whole = comparable(email)

  return [whole, whole.slice(0, whole.lastIndexOf('@'))]
}

/** The stored email, if a patch changes the password only. */
async function storedEmail({ data, id, service }: HookContext<UserService>): Promise<string | undefined> {
  if ((data as UserPatch).password === undefined || id === null || id === undefined) {
    return undefined
  }

  const users = await service.getModel()
  const stored = await users.findOne({ _id: service.getObjectId(id) as never }, { projection: { email: 1 } })

  return stored?.email
}
