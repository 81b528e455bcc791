import type { HookContext } from '@feathersjs/feathers'
import { checkedBy } from '../refresh-token/index.js'
import type { Passkeys } from './passkeys.js'
import { registrationSchema } from './webauthn.js'

const check = checkedBy(registrationSchema)

/**
 * Before `create` of the users service, as the last hook: verifies the field `passkey` of the data, and stores the passkey in
 * its place. Data without that field are left alone.
 *
 * @throws BadRequest for a malformed registration; RegistrationRefused
 */
export const signUpWithPasskey = () => async (context: HookContext) => {
  const { passkey, ...user } = context.data as { passkey?: unknown }

  if (passkey !== undefined) {
    const passkeys = context.app.get('passkeys') as Passkeys

    context.data = { ...user, ...(await passkeys.verifySignUp(check(passkey))) }
  }
}
