import { NotAuthenticated } from '@feathersjs/errors'
import type { Params } from '@feathersjs/feathers'
import { callerOf } from '../../factors/internal.js'
import { invalidData } from '../../refresh-token/index.js'
import type { Purpose } from '../challenges.js'
import type { Ceremony, Passkeys } from '../passkeys.js'

/** The service `passkey-challenges`: what a client asks an authenticator for. */
export class PasskeyChallengeService {
  private readonly passkeys: Passkeys

  constructor(passkeys: Passkeys) {
    this.passkeys = passkeys
  }

  /** Makes a challenge for one purpose. @throws NotAuthenticated unless the caller is signed in, if it takes that */
  async create(
    { purpose, challenge }: { purpose: Purpose; challenge?: string },
    params: Params
  ): Promise<Ceremony> {
    const { passkeys } = this

    if (purpose === 'sign-in') {
      return passkeys.beginSignIn()
    }
    if (purpose === 'sign-up') {
      return passkeys.beginSignUp()
    }

    if (purpose === 'factor') {
      return passkeys.beginFactor(requireGate(challenge))
    }

    if (!params.authentication) {
      throw new NotAuthenticated('Not authenticated')
    }

    const caller = callerOf(params)

    return purpose === 'register' ? passkeys.beginRegistration(caller) : passkeys.beginStepUp(caller.userId)
  }
}

/** @throws BadRequest */
function requireGate(challenge: string | undefined): string {
  if (challenge === undefined) {
    throw invalidData([{ field: 'challenge', message: 'is required for the purpose factor' }])
  }

  return challenge
}
