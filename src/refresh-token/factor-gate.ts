import type {
  AuthenticationParams,
  AuthenticationRequest,
  AuthenticationResult
} from '@feathersjs/authentication'
import type { Params } from '@feathersjs/feathers'
import { randomUUID } from 'node:crypto'
import type { Document } from 'mongodb'
import { FactorNeeded, Refused, StepUpNeeded } from './errors.js'
import type { LiveSessions } from './live/live-sessions.js'
import type { Challenges } from './sessions/challenges.js'
import { factorKinds, factorsOf, hasGivenFactor, type UsedFactor } from './sessions/gate.js'
import type { Credentials } from './sessions/opening.js'
import { judge } from './sessions/rotation.js'
import type { Device } from './sessions/session.js'
import type { SessionOwner } from './sessions/users.js'
import type { Settings } from './settings/settings.js'
import {
  mintChallenge,
  parseChallenge,
  requireState,
  type Challenge,
  type FirstStep,
  type State
} from './tokens/challenge.js'
import type { RefreshToken } from './tokens/refresh-token.js'
import { invalidData } from './validation.js'

/** In the result of a strategy: the factor that it has verified. */
export const givenFactor: unique symbol = Symbol('given factor')

export interface GivenFactor {
  /** The login that it completes; missing at a step-up. */
  first?: Challenge
  /** What it is: the methods of RFC 8176. */
  amr: string[]
  /** What it uses up. */
  used: UsedFactor
}

/** A login, as its strategy has verified it. */
export interface Login extends Credentials {
  amr: string[]
  hasFactor: boolean
  /** The first step that it completes. */
  first?: Challenge
}

/** Whom a factor is asked of. */
export interface AskedFactor {
  /** As it is stored, without the sessions. */
  user: SessionOwner
  /** The id of the session that the client has anyway; missing for a stranger to the account. */
  client?: string
  /** The login that it is to complete; missing at a step-up. */
  first?: Challenge
}

export const recent = 10 * 60 // s: as recent as a step-up is meant to be, where no call says so

/** In the params of a strategy's call: whose session a step-up is to raise. */
export const steppingUp: unique symbol = Symbol('stepping up')

export interface StepUpParams extends AuthenticationParams {
  [steppingUp]?: { userId: string; sessionId: string }
}

export interface FactorGateOptions {
  settings: Settings
  live: LiveSessions
  challenges: Challenges
  /** A user as it is stored, by its id. @throws Refused `revoked` when there is none, `disabled` */
  storedUser: (userId: string) => Promise<SessionOwner>
  /** The hashes of a stored user's passwords. */
  passwordsOf: (user: SessionOwner) => (string | undefined)[]
  /** @throws Refused */
  parseRefreshToken: (refreshToken: string) => RefreshToken
  /** ms since 1970 */
  now: () => number
}

/** Who has to give a factor, and for which login or session one is given. */
export class FactorGate {
  readonly challenges: Challenges
  readonly #options: FactorGateOptions

  constructor(options: FactorGateOptions) {
    this.#options = options
    this.challenges = options.challenges
  }

  /** What a strategy has verified, as it says itself in `authentication.amr`, or for all its logins in `amr`. */
  loginOf(authResult: AuthenticationResult, strategy: { amr?: string[] } | undefined): Login {
    const given: GivenFactor | undefined = (authResult as { [givenFactor]?: GivenFactor })[givenFactor]
    const isLocal = strategy !== undefined && 'comparePassword' in strategy
    const own: string[] =
      given?.amr ?? authResult.authentication?.amr ?? strategy?.amr ?? (isLocal ? ['pwd'] : [])
    // At a step-up the app's own kind of factor has to be known for one, too
    const isKnown = given === undefined || hasGivenFactor(own)
    const amr = given?.first
      ? [...new Set([...given.first.amr, ...own, 'mfa'])]
      : isKnown
        ? own
        : [...own, 'mfa']

    return {
      amr,
      hasFactor: given !== undefined || own.includes('mfa'),
      ...(given && { used: given.used }),
      ...(given?.first && { first: given.first })
    }
  }

  /**
   * Refuses a login at the gate, with a challenge that a factor answers.
   *
   * @param user As it is stored
   */
  refusal(user: SessionOwner, first: FirstStep): FactorNeeded {
    const { factors } = this.#options.settings
    const names = factorKinds(user).filter((name) => name !== first.strategy)

    return new FactorNeeded(
      names,
      factors &&
        mintChallenge(factors.challenges, first, {
          jti: randomUUID(),
          state: this.#stateOf(user),
          now: this.#options.now()
        })
    )
  }

  /**
   * Checks that the claims of an access token tell of a recent sign-in or step-up; of a factor, for a user who has one.
   *
   * @param within How recent it has to be, s
   * @param isFactorNeeded Whether users without a factor are refused, too
   * @throws StepUpNeeded; Refused for a user who is disabled or gone
   */
  async requireRecent(
    { sub, auth_time: time, amr }: Document,
    { within = recent, isFactorNeeded = false } = {}
  ): Promise<void> {
    const kinds =
      sub === undefined ? [] : factorKinds((await this.#options.live.findUser(String(sub))).user())
    const isRecent = typeof time === 'number' && this.#options.now() / 1000 - time <= within
    const hasGiven = Array.isArray(amr) && hasGivenFactor(amr)

    if (!isRecent || ((isFactorNeeded || kinds.length > 0) && !hasGiven)) {
      throw new StepUpNeeded(within, kinds)
    }
  }

  /** @throws Refused `invalid` or `expired` */
  parseChallenge(challenge: string): Challenge {
    const { factors } = this.#options.settings

    if (!factors) {
      throw new Refused('invalid')
    }

    return parseChallenge(factors.challenges, challenge, this.#options.now())
  }

  /**
   * Whom a strategy asks for a factor: the user of the challenge or, at a step-up, the one who is signed in. A challenge
   * counts one more try.
   *
   * @param strategy The one that asks
   * @throws Refused `invalid`, `expired`, `disabled`; BadRequest
   */
  async asked(
    strategy: string,
    { challenge, device, ...request }: AuthenticationRequest & { challenge?: string; device?: Device },
    params: Params
  ): Promise<AskedFactor> {
    const { [steppingUp]: current } = params as StepUpParams

    if ((challenge === undefined) === (current === undefined)) {
      throw invalidData([
        { field: 'challenge', message: current ? 'has no place in a step-up' : 'is required' }
      ])
    }
    if (current) {
      return { user: await this.#options.storedUser(current.userId), client: current.sessionId }
    }

    const { user, first } = await this.askedBy(challenge!)

    if (first.device.id !== device?.id || first.strategy === strategy) {
      throw new Refused('invalid')
    }

    await this.challenges.try(first)

    const client = await this.#clientOf(first.sub, request[this.#options.settings.field])

    return { user, first, ...(client !== undefined && { client }) }
  }

  /**
   * Opens the session of a login, and uses the challenge that it answers, if any. Where none opens, it stays good: a code
   * that another login was faster with is a wrong one, and the next may be right.
   *
   * @throws Refused `expired` for a challenge that was used
   */
  async answering<T>(first: Challenge | undefined, open: () => Promise<T>): Promise<T> {
    if (!first) {
      return open()
    }

    await this.challenges.use(first)

    try {
      return await open()
    } catch (error) {
      await this.challenges.release(first)
      throw error
    }
  }

  /** The user and the login of a challenge. It counts no try. @throws Refused `invalid`, `expired`, `disabled` */
  async askedBy(challenge: string): Promise<{ user: SessionOwner; first: Challenge }> {
    const first = this.parseChallenge(challenge)
    const user = await this.#options.storedUser(first.sub)

    requireState(this.#options.settings.factors!.challenges, first, this.#stateOf(user))
    return { user, first }
  }

  /** Whether a call to a strategy is part of a step-up. */
  isSteppingUp(params: Params): boolean {
    return (params as StepUpParams)[steppingUp] !== undefined
  }

  /** The live session of the user whose own refresh token a client has; undefined for any other client. */
  async #clientOf(userId: string, refreshToken: unknown): Promise<string | undefined> {
    if (typeof refreshToken !== 'string') {
      return undefined
    }

    try {
      const { sub, sid, jti, prev } = this.#options.parseRefreshToken(refreshToken)
      const { session } = await this.#options.live.find(sub, sid)
      const verdict = judge(session, { jti, prev }, { leeway: Infinity, now: this.#options.now() })

      return sub === userId && verdict !== 'reuse' ? sid : undefined
    } catch {
      return undefined
    }
  }

  #stateOf(user: SessionOwner): State {
    return [
      ...this.#options.passwordsOf(user).map((password) => password ?? null),
      ...factorsOf(user)
        .map(({ id }) => id)
        .sort()
    ]
  }
}
