import type { Params } from '@feathersjs/feathers'
import { shown, passkeysOf, type Passkey } from '../passkey-users.js'
import type { Passkeys } from '../passkeys.js'
import type { Registration } from '../webauthn.js'

export interface PasskeyServiceOptions {
  passkeys: Passkeys
  /** The id of the user who is signed in. */
  userId: (params: Params) => string
}

/** The service `passkeys`: those of the caller. */
export class PasskeyService {
  private readonly options: PasskeyServiceOptions

  constructor(options: PasskeyServiceOptions) {
    this.options = options
  }

  async find(params: Params): Promise<Passkey[]> {
    const { passkeys, userId } = this.options

    return passkeysOf(await passkeys.users.get(userId(params))).map(shown)
  }

  /** Adds a passkey. @throws RegistrationRefused; Conflict for one that is known already */
  async create(
    { name, ...registration }: Registration & { name?: string },
    params: Params
  ): Promise<Passkey> {
    const { passkeys, userId } = this.options
    const passkey = await passkeys.verify(userId(params), registration, name)

    await passkeys.users.add(userId(params), passkey)

    return shown(passkey)
  }

  /** Names a passkey. @throws NotFound */
  async patch(id: string, { name }: { name: string }, params: Params): Promise<Passkey> {
    const { passkeys, userId } = this.options

    return shown(await passkeys.users.rename(userId(params), id, name))
  }
}
