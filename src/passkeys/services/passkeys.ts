import type { Params } from '@feathersjs/feathers'
import { callerOf } from '../../factors/internal.js'
import { passkeysOf, shown, type Passkey } from '../passkey-users.js'
import type { AddedPasskey, Passkeys } from '../passkeys.js'
import type { Registration } from '../webauthn.js'

/** The service `passkeys`: those of the user who is signed in. */
export class PasskeyService {
  private readonly passkeys: Passkeys

  constructor(passkeys: Passkeys) {
    this.passkeys = passkeys
  }

  async find(params: Params): Promise<Passkey[]> {
    return passkeysOf(await this.passkeys.users.get(callerOf(params).userId)).map(shown)
  }

  /** Adds a passkey. @throws RegistrationRefused; Conflict for one that is known already */
  async create(
    { name, ...registration }: Registration & { name?: string },
    params: Params
  ): Promise<AddedPasskey> {
    return this.passkeys.add(callerOf(params), registration, name)
  }

  /** Names a passkey. @throws NotFound */
  async patch(id: string, { name }: { name: string }, params: Params): Promise<Passkey> {
    return shown(await this.passkeys.users.rename(callerOf(params), id, name))
  }

  /** @throws NotFound; Conflict for the last way in */
  async remove(id: string, params: Params): Promise<Passkey> {
    return this.passkeys.remove(callerOf(params), id)
  }
}
