import { BadRequest } from '@feathersjs/errors'
import type { KeyObject } from 'node:crypto'
import type { Collection } from 'mongodb'
import { Refused, type AuthenticationService } from '../refresh-token/index.js'
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
  passkeysOf,
  type PasskeyUser,
  type StoredPasskey
} from './passkey-users.js'
import type { PasskeySettings } from './settings.js'
import {
  creationOptions,
  requestOptions,
  verifyAssertion,
  verifyRegistration,
  type Asserted,
  type Assertion,
  type CreationOptions,
  type Registration,
  type RegistrationResponse,
  type RequestOptions
} from './webauthn.js'

export interface PasskeysOptions {
  authentication: AuthenticationService
  settings: PasskeySettings
  /** The keys that sign challenges, the newest first. */
  keys: () => readonly KeyObject[]
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

/** An assertion that was verified. */
export interface VerifiedAssertion extends Asserted {
  user: PasskeyUser
  passkey: StoredPasskey
  purpose: Purpose
  /** Whether the counter of the authenticator went on, as it does unless there are two copies of it. */
  hasGrown: boolean
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
  readonly #now: () => number
  #collection: Promise<Collection<UsedChallenge>> | undefined

  constructor({ authentication, settings, keys, now }: PasskeysOptions) {
    this.#settings = settings
    this.#now = now
    this.users = new PasskeyUsers(authentication)
    this.challenges = new Challenges({ keys, collection: () => this.#open(), now })
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
  async beginRegistration(userId: string): Promise<Ceremony> {
    const user = await this.users.withHandle(userId)
    const { id, challenge } = this.challenges.issue({ purpose: 'register', userId })
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

  /**
   * Verifies a registration, and uses its challenge.
   *
   * @returns The passkey, to be stored
   * @throws RegistrationRefused
   */
  async verify(
    userId: string,
    { challenge: id, response }: Registration,
    name = nameless
  ): Promise<StoredPasskey> {
    const challenge = this.#read(id, 'register')

    if (challenge.userId !== userId) {
      throw new RegistrationRefused('invalid')
    }

    return this.#verified(challenge, response, { isOnlyWayIn: false, name })
  }

  /**
   * Verifies the registration of a new account, and uses its challenge.
   *
   * @returns What is to be stored of it on the user document
   * @throws RegistrationRefused
   */
  async verifySignUp({ challenge: id, response }: Registration): Promise<PasskeyAccount> {
    const challenge = this.#read(id, 'sign-up')
    const passkey = await this.#verified(challenge, response, { isOnlyWayIn: true, name: nameless })

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
   * Verifies an assertion, and uses its challenge.
   *
   * @param purposes What the challenge may have been made for
   * @throws Refused `invalid`, `expired`, `disabled`
   */
  async assert({ challenge: id, response }: Assertion, ...purposes: Purpose[]): Promise<VerifiedAssertion> {
    const challenge = this.challenges.read(id, ...purposes)
    const user = await this.users.byCredential(response.id)
    const passkey = user && passkeysOf(user).find((own) => own.credentialId === response.id)

    if (!user || !passkey || (challenge.userId !== undefined && challenge.userId !== this.users.idOf(user))) {
      throw new Refused('invalid')
    }

    const assertion = await verifyAssertion(this.#settings, challenge.challenge, response, passkey, {
      handle: user.passkeyHandle,
      isByItself: challenge.purpose === 'sign-in'
    })

    if (!assertion) {
      throw new Refused('invalid')
    }

    await this.challenges.use(challenge)

    // Authenticators that don't count always say 0 (WebAuthn §6.1.1)
    const hasGrown = assertion.counter > passkey.counter || (assertion.counter === 0 && passkey.counter === 0)

    return { ...assertion, user, passkey, purpose: challenge.purpose, hasGrown }
  }

  /** Reads the challenge of a registration. @throws RegistrationRefused */
  #read(id: string, purpose: Purpose): Challenge {
    try {
      return this.challenges.read(id, purpose)
    } catch (error) {
      return asRegistration(error)
    }
  }

  /** Opens the collection of used challenges and makes its index; if that fails, the next call tries again. */
  #open(): Promise<Collection<UsedChallenge>> {
    this.#collection ??= this.#make()

    return this.#collection.catch((error: unknown) => {
      this.#collection = undefined
      throw error
    })
  }

  async #make(): Promise<Collection<UsedChallenge>> {
    const users = await this.users.collection()
    const used = users.db.collection<UsedChallenge>(usedChallenges)

    await used.createIndex({ expiresAt: 1 }, { expireAfterSeconds: keptAfterExpiry })
    return used
  }
}

/** A 401 would tell a client that its session is over. */
function asRegistration(error: unknown): never {
  if (error instanceof Refused) {
    throw new RegistrationRefused(error.data.reason === 'expired' ? 'expired' : 'invalid')
  }
  throw error
}
