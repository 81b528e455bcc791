import { BadRequest } from '@feathersjs/errors'
import type { Collection } from 'mongodb'
import type { Params } from '@feathersjs/feathers'
import { Refused, type AuthenticationService, type GivenFactor } from '../refresh-token/index.js'
import { doneOnce, type Keyring } from '../refresh-token/internal.js'
import type { Caller, FactorChange, Factors } from '../factors/index.js'
import {
  Challenges,
  keptAfterExpiry,
  usedChallenges,
  type Challenge,
  type Purpose,
  type UsedChallenge
} from './challenges.js'
import {
  PasskeyUsers,
  newHandle,
  newPasskey,
  hasRoomFor,
  passkeysOf,
  refusedIfKnown,
  requireRoomFor,
  shown,
  type Passkey,
  type PasskeyUser,
  type StoredPasskey
} from './passkey-users.js'
import type { PasskeySettings } from './settings.js'
import {
  creationOptions,
  requestOptions,
  verifyAssertion,
  verifyRegistration,
  type Assertion,
  type CreationOptions,
  type Registration,
  type RegistrationResponse,
  type RequestOptions
} from './webauthn.js'

export interface PasskeysOptions {
  authentication: AuthenticationService
  settings: PasskeySettings
  /** The keys that sign challenges. */
  keyring: Keyring
  /** Where passkeys are among. */
  factors: () => Factors
  /** Called when a counter did not grow: there may be two copies of the authenticator, or one that counts wrong. */
  report?: (change: FactorChange) => void
  /** ms since 1970 */
  now: () => number
}

/** What a client asks an authenticator for. */
export interface Ceremony {
  /** Of the challenge: to be sent back with the response. */
  id: string
  options: CreationOptions | RequestOptions
}

/** What is stored of an account that signs up with a passkey. */
export interface PasskeyAccount {
  passkeyHandle: string
  factors: StoredPasskey[]
}

/** What using a passkey tells, and uses up of the user document. */
export interface PasskeyUse extends Omit<GivenFactor, 'first'> {
  purpose: Purpose
}

/** A passkey that was added, with the recovery codes that come with the first factor. */
export interface AddedPasskey extends Passkey {
  recoveryCodes?: string[]
}

const nameless = 'Passkey'

/** 400 with a stable `data.reason`: a signed-in user whose registration is refused stays signed in. */
export class RegistrationRefused extends BadRequest {
  declare readonly data: { reason: 'invalid' | 'expired' }

  constructor(reason: 'invalid' | 'expired') {
    super(reason === 'invalid' ? 'The passkey is not valid' : 'The challenge has expired', { reason })
  }
}

/** Passkeys (WebAuthn): the ceremonies that register and use them. */
export class Passkeys {
  readonly users: PasskeyUsers
  readonly challenges: Challenges
  readonly #settings: PasskeySettings
  readonly #authentication: AuthenticationService
  readonly #factors: () => Factors
  readonly #now: () => number
  readonly #report: PasskeysOptions['report']
  readonly #open = doneOnce(() => this.#make())

  constructor({ authentication, settings, factors, keyring, report, now }: PasskeysOptions) {
    this.#settings = settings
    this.#authentication = authentication
    this.#factors = factors
    this.#now = now
    this.#report = report
    this.users = new PasskeyUsers(authentication)
    this.challenges = new Challenges({ keyring, collection: () => this.#open(), now })
  }

  /** Begins a sign-in, with whatever passkey the user chooses: the same for everybody. */
  async beginSignIn(): Promise<Ceremony> {
    const { id, challenge } = this.challenges.issue({ purpose: 'sign-in' })

    return { id, options: await requestOptions(this.#settings, challenge) }
  }

  /** Begins the sign-up of an account without a password, whose name the client knows and puts into the options. */
  async beginSignUp(): Promise<Ceremony> {
    const handle = newHandle()
    const { id, challenge } = this.challenges.issue({ purpose: 'sign-up', handle })
    const owner = { handle, name: this.#settings.rpName }
    const options = await creationOptions(this.#settings, challenge, owner, { known: [], isOnlyWayIn: true })

    return { id, options }
  }

  /** Begins to add a passkey to an account. */
  async beginRegistration(caller: Caller): Promise<Ceremony> {
    const user = await this.users.withHandle(caller)
    const { id, challenge } = this.challenges.issue({ purpose: 'register', userId: caller.userId })
    const owner = { handle: user.passkeyHandle!, name: this.users.nameOf(user) }
    const known = passkeysOf(user)

    return {
      id,
      options: await creationOptions(this.#settings, challenge, owner, { known, isOnlyWayIn: false })
    }
  }

  /** Begins a step-up with one of the passkeys of a user. */
  async beginStepUp(userId: string): Promise<Ceremony> {
    const known = passkeysOf(await this.users.get(userId))
    const { id, challenge } = this.challenges.issue({ purpose: 'step-up', userId })

    return { id, options: await requestOptions(this.#settings, challenge, known) }
  }

  /** Begins to answer the challenge of the gate. @throws Refused `invalid`, `expired`, `disabled` */
  async beginFactor(gate: string): Promise<Ceremony> {
    const { user } = await this.#authentication.gate.askedBy(gate)
    const { id, challenge } = this.challenges.issue({
      purpose: 'factor',
      userId: this.users.idOf(user),
      gate
    })

    return { id, options: await requestOptions(this.#settings, challenge, passkeysOf(user)) }
  }

  /**
   * Adds a passkey. With the first factor come recovery codes, which can't be read again.
   *
   * @throws RegistrationRefused; Conflict for one that is known, or one too many
   */
  async add(
    caller: Caller,
    { challenge: id, response }: Registration,
    name = nameless
  ): Promise<AddedPasskey> {
    const challenge = this.#read(id, 'register')

    if (challenge.userId !== caller.userId) {
      throw new RegistrationRefused('invalid')
    }

    const passkey = await this.#verified(challenge, response, { isOnlyWayIn: false, name })

    requireRoomFor(passkey, await this.users.get(caller.userId))

    const { recoveryCodes } = await this.#factors()
      .add(caller, passkey, hasRoomFor(passkey), { amr: methodsOf(passkey.userVerified) })
      .catch(refusedIfKnown)

    return { ...shown(passkey), ...(recoveryCodes && { recoveryCodes }) }
  }

  /** Removes a passkey. @throws NotFound; Conflict for the last way in */
  async remove(caller: Caller, id: string): Promise<Passkey> {
    const passkey = await this.users.passkey(caller.userId, id)

    await this.#factors().remove(caller, id)
    return shown(passkey)
  }

  /**
   * Verifies the registration of a new account, and uses its challenge.
   *
   * @returns What is to be stored of it on the user document
   * @throws RegistrationRefused; Conflict for a passkey that is known, whether or not the address is free
   */
  async verifySignUp({ challenge: id, response }: Registration): Promise<PasskeyAccount> {
    const challenge = this.#read(id, 'sign-up')
    const passkey = await this.#verified(challenge, response, { isOnlyWayIn: true, name: nameless })

    await this.users.requireUnknown(passkey)

    return { passkeyHandle: challenge.handle!, factors: [passkey] }
  }

  async #verified(
    challenge: Challenge,
    response: RegistrationResponse,
    { isOnlyWayIn, name }: { isOnlyWayIn: boolean; name: string }
  ): Promise<StoredPasskey> {
    const credential = await verifyRegistration(this.#settings, challenge.challenge, response, {
      isOnlyWayIn
    })

    if (!credential) {
      throw new RegistrationRefused('invalid')
    }

    await this.challenges.use(challenge).catch(asRegistration)

    return newPasskey(credential, name, this.#now())
  }

  /**
   * Verifies that a user has a passkey, and uses the challenge.
   *
   * @param purposes What the challenge may have been made for
   * @param params Of the call
   * @throws Refused `invalid`, `expired`
   */
  async use(
    { challenge: id, response }: Assertion,
    user: PasskeyUser,
    purposes: readonly Purpose[],
    params: Params
  ): Promise<PasskeyUse> {
    const challenge = this.challenges.read(id, ...purposes)
    const passkey = passkeysOf(user).find((own) => own.credentialId === response.id)

    if (!passkey || (challenge.userId !== undefined && challenge.userId !== this.users.idOf(user))) {
      throw new Refused('invalid')
    }

    const { purpose } = challenge
    const isByItself = purpose === 'sign-in'
    const asserted = await verifyAssertion(this.#settings, challenge.challenge, response, passkey, {
      handle: user.passkeyHandle,
      isByItself
    })

    // Whoever finds a key without a PIN can give it one: that counts once another factor has been given with it
    // (WebAuthn §7.2, uvInitialized)
    const isVerified = asserted?.userVerified && (passkey.userVerified || purpose === 'factor')

    if (!asserted || (isByItself && !isVerified)) {
      throw new Refused('invalid')
    }

    await this.challenges.use(challenge)

    const { counter } = asserted

    // Authenticators that don't count always say 0 (WebAuthn §6.1.1)
    if (counter <= passkey.counter && (counter > 0 || passkey.counter > 0)) {
      this.#report?.({
        type: 'passkey-counter-stalled',
        userId: this.users.idOf(user),
        kind: 'passkey',
        params
      })
    }

    return {
      purpose,
      amr: methodsOf(isVerified),
      used: {
        factor: { id: passkey.id },
        set: {
          counter: Math.max(counter, passkey.counter),
          userVerified: isVerified || passkey.userVerified,
          usedAt: new Date(this.#now())
        }
      }
    }
  }

  /** Reads the challenge of a registration. @throws RegistrationRefused */
  #read(id: string, purpose: Purpose): Challenge {
    try {
      return this.challenges.read(id, purpose)
    } catch (error) {
      return asRegistration(error)
    }
  }

  /** Opens the collection of used challenges and makes its index. */
  async #make(): Promise<Collection<UsedChallenge>> {
    const users = await this.users.collection()
    const used = users.db.collection<UsedChallenge>(usedChallenges)

    await used.createIndex({ expiresAt: 1 }, { expireAfterSeconds: keptAfterExpiry })
    return used
  }
}

/** RFC 8176 §2 */
const methodsOf = (isVerified: boolean | undefined): string[] => [
  'pop',
  ...(isVerified ? ['user', 'mfa'] : [])
]

/** A 401 would tell a client that its session is over. */
function asRegistration(error: unknown): never {
  if (error instanceof Refused) {
    throw new RegistrationRefused(error.data.reason === 'expired' ? 'expired' : 'invalid')
  }
  throw error
}
