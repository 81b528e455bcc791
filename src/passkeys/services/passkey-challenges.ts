import { NotAuthenticated } from '@feathersjs/errors'
import type { Params } from '@feathersjs/feathers'
import { invalidData } from '../../refresh-token/index.js'
import type { Purpose } from '../challenges.js'
import type { Ceremony, Passkeys } from '../passkeys.js'

export interface PasskeyChallengeServiceOptions {
  passkeys: Passkeys
  /** The id of the user who is signed in, if anybody is. */
  userId: (params: Params) => string | undefined
}

/** The service `passkey-challenges`: what a client asks an authenticator for. */
export class PasskeyChallengeService {
  private readonly options: PasskeyChallengeServiceOptions

  constructor(options: PasskeyChallengeServiceOptions) {
    this.options = options
  }

  /** Makes a challenge for one purpose. @throws NotAuthenticated unless the caller is signed in, if it takes that */
  async create(
    { purpose, challenge }: { purpose: Purpose; challenge?: string },
    params: Params
  ): Promise<Ceremony> {
    const { passkeys, userId } = this.options

    if (purpose === 'sign-in') {
      return passkeys.beginSignIn()
    }
    if (purpose === 'sign-up') {
      return passkeys.beginSignUp()
    }

    if (purpose === 'factor') {
      return passkeys.beginFactor(requireGate(challenge))
    }

    const own = userId(params)

    if (own === undefined) {
      throw new NotAuthenticated('Not authenticated')
    }

    return purpose === 'register' ? passkeys.beginRegistration(own) : passkeys.beginStepUp(own)
  }
}

/** @throws BadRequest */
function requireGate(challenge: string | undefined): string {
  if (challenge === undefined) {
    throw invalidData([{ field: 'challenge', message: 'is required for the purpose factor' }])
  }

  return challenge
}
