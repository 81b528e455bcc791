import { BadRequest, Conflict, NotFound } from '@feathersjs/errors'
import type { Params } from '@feathersjs/feathers'
import { randomUUID } from 'node:crypto'
import type { Document } from 'mongodb'
import {
  ConfigurationError,
  Refused,
  factorFields,
  type AuthenticationService,
  type StoredFactor,
  type UsedFactor
} from '../refresh-token/index.js'
import {
  durable,
  factorsOf,
  oauthProviders,
  ourFactorStrategies,
  reach,
  withoutFactor
} from '../refresh-token/internal.js'
import { FactorKeys } from './factor-keys.js'
import {
  factorsIndex,
  recoveryCodes,
  type Caller,
  type Factor,
  type FactorChange,
  type FactorNotices,
  type FactorOwner,
  type TotpFactor
} from './factor.js'
import { newRecoveryCodes, plainCode } from './recovery-codes.js'
import { newSecret, stepOf, uriOf } from './totp.js'

export interface FactorsOptions {
  authentication: AuthenticationService
  /** What apps for codes show above a code: the name of the service. */
  issuer?: string
  /** Tells users of changes by mail. */
  notices?: () => FactorNotices | undefined
  /** Called with every change. */
  report?: (change: FactorChange) => void
}

/** What was added, with the recovery codes that come with the first factor: they can't be read again. */
export interface Added {
  id: string
  kind: string
  recoveryCodes?: string[]
}

const mostApps = 10
const pendingLife = 10 * 60_000 // ms: enough to install an app
const maxAttempts = 10 // at a conditional update; one that fails means that another request won

/** The factors of users. Each verb that changes something is one conditional update of the user document. */
export class Factors {
  readonly #options: FactorsOptions
  readonly #keys: FactorKeys

  /** @throws ConfigurationError without a key */
  constructor(options: FactorsOptions) {
    const { settings, configKey } = options.authentication

    if (!settings.factors) {
      throw new ConfigurationError(
        `${configKey}.factors.secret is missing: write at least 32 random bytes, such as \`openssl rand -base64 48\` prints`
      )
    }

    this.#options = options
    this.#keys = new FactorKeys(settings.factors.challenges.keyring)
  }

  /** The factors of a user and, with them, how many recovery codes are left. */
  async list(userId: string): Promise<Factor[]> {
    const user = await this.#user(userId)
    const factors = factorsOf(user).map(shown)

    return factors.length > 0
      ? [
          ...factors,
          {
            id: recoveryCodes,
            kind: recoveryCodes,
            ...(user.recoveryCodesAt && { createdAt: user.recoveryCodesAt }),
            left: user.recoveryCodes?.length ?? 0
          }
        ]
      : []
  }

  /**
   * Begins to add an app for codes, in place of one that was begun before. It counts once `confirm` has its code.
   *
   * @throws BadRequest without the strategy `totp`: its user would be locked out
   */
  async begin(caller: Caller): Promise<{ id: string; kind: 'totp'; secret: string; uri: string }> {
    if (!this.#authentication.configuration.authStrategies.includes('totp')) {
      throw new BadRequest('This service takes no codes of apps')
    }

    const { issuer = this.#authentication.settings.accessTokens.issuer } = this.#options
    const id = randomUUID()
    const secret = newSecret()
    const user = await this.#user(caller.userId)
    const pendingFactor = {
      id,
      secret: this.#keys.encrypt(secret, owner(caller.userId, id)),
      expiresAt: new Date(this.#authentication.now() + pendingLife)
    }

    requireRoom(user)
    await this.#update(caller, {}, { $set: { pendingFactor } })

    return { id, kind: 'totp', secret, uri: uriOf(secret, issuer, this.#nameOf(user)) }
  }

  /**
   * Adds the app for codes that was begun, whose code shows that it works. The code is good for nothing else.
   *
   * @throws NotFound; BadRequest `invalid` for a wrong code
   */
  async confirm(caller: Caller, id: string, code: string, name?: string): Promise<Added> {
    const user = await this.#user(caller.userId)
    const pending = user.pendingFactor
    const now = this.#authentication.now()

    if (pending?.id !== id || pending.expiresAt.getTime() <= now) {
      throw new NotFound(`No record found for id '${id}'`)
    }

    requireRoom(user)

    const step = stepOf(this.#keys.decrypt(pending.secret, owner(caller.userId, id)), code, now)

    if (step === undefined) {
      throw new BadRequest('The code is wrong', { reason: 'invalid' })
    }

    const factor: TotpFactor = {
      id,
      kind: 'totp',
      ...(name !== undefined && { name }),
      secret: pending.secret,
      step,
      createdAt: new Date(now)
    }

    return this.add(
      caller,
      factor,
      { 'pendingFactor.id': id },
      { unset: { pendingFactor: '' }, amr: ['otp'] }
    )
  }

  /**
   * Adds a factor that was verified. With the first one come recovery codes and, as `otherSessions` says, the end of the
   * user's other sessions.
   *
   * @param condition Of the user document
   * @param unset Fields that go
   * @param amr The methods of RFC 8176 that it was verified by: with them, adding it is a step-up of the session
   * @throws NotFound where the condition does not hold
   */
  async add(
    caller: Caller,
    factor: StoredFactor,
    condition: Document,
    { unset = {}, amr }: { unset?: Document; amr?: string[] } = {}
  ): Promise<Added> {
    const { id, kind } = factor

    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const user = await this.#user(caller.userId)
      const isFirst = factorsOf(user).length === 0
      const codes = isFirst ? newRecoveryCodes() : undefined
      const isAdded = await this.#write(
        caller,
        { ...condition, ...(isFirst ? withoutFactor : { 'factors.kind': { $exists: true } }) },
        {
          $push: { factors: factor, ...pushed(await this.#notices?.added(user, kind)) },
          ...(codes && { $set: this.#storedCodes(caller.userId, codes) }),
          ...(Object.keys(unset).length > 0 && { $unset: unset })
        },
        isFirst && this.#authentication.settings.factors!.otherSessions === 'end'
      )

      if (isAdded) {
        this.#report(caller, 'factor-added', kind)
        await this.#raise(caller, amr)
        return { id, kind, ...(codes && { recoveryCodes: codes }) }
      }

      await this.#requireCaller(caller, condition)
    }

    throw new Conflict('The factors have been changed meanwhile')
  }

  /** Ten new recovery codes, in place of those that are left. @throws Conflict for a user without a factor */
  async renewCodes(caller: Caller): Promise<Required<Added>> {
    const codes = newRecoveryCodes()
    const hasFactor = { 'factors.kind': { $exists: true } }
    const isDone = await this.#write(caller, hasFactor, {
      $set: this.#storedCodes(caller.userId, codes)
    })

    if (!isDone) {
      await this.#requireCaller(caller, {})
      throw new Conflict('Recovery codes are for those who have a factor: add one first')
    }

    this.#report(caller, 'recovery-codes-renewed', recoveryCodes)
    return { id: recoveryCodes, kind: recoveryCodes, recoveryCodes: codes }
  }

  /**
   * Removes a factor; with the last one the recovery codes go, too.
   *
   * @throws NotFound; Conflict for the last way in
   */
  async remove(caller: Caller, id: string): Promise<Factor> {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const user = await this.#user(caller.userId)
      const factor = factorsOf(user).find((candidate) => candidate.id === id)

      if (!factor) {
        throw new NotFound(`No record found for id '${id}'`)
      }
      if (this.#isLastWayIn(user, factor)) {
        throw new Conflict('This is the last way in to the account: add another one first')
      }

      const isLast = factorsOf(user).length === 1
      const isRemoved = await this.#write(
        caller,
        {
          ...unchanged(user, this.#authentication.unchangedSince(user)),
          ...this.#notices?.unchangedLinks(user)
        },
        {
          ...this.#removal(user, factor, isLast),
          ...withPush(this.#notices?.removed(user, factor.kind))
        }
      )

      if (isRemoved) {
        this.#report(caller, 'factor-removed', factor.kind)
        return shown(factor)
      }

      await this.#requireCaller(caller, {})
    }

    throw new Conflict('The factors have been changed meanwhile')
  }

  /** Removes all factors of a user, who lost them, and ends all sessions. Returns the factors there were. @throws NotFound */
  async clear(userId: string, { by, params = {} }: { by?: string; params?: Params } = {}): Promise<Factor[]> {
    const users = await this.#authentication.users()
    const user = await reach(() => users.findOne(this.#authentication.matching(userId)))

    if (!user) {
      throw new NotFound(`No record found for id '${userId}'`)
    }

    const factors = factorsOf(user)

    await this.#authentication.sessions.endAll(userId, 'factor', {
      update: {
        $unset: Object.fromEntries(
          factorFields.filter((field) => field !== 'passkeyHandle').map((field) => [field, ''])
        ),
        ...(factors.length > 0 && withPush(this.#notices?.removed(user, 'all')))
      },
      by
    })

    if (factors.length > 0) {
      this.#options.report?.({ type: 'factor-removed', userId, kind: 'all', by, params })
    }

    return factors.map(shown)
  }

  /** What a code of an app uses up. @throws Refused `invalid` */
  useTotp(user: FactorOwner, code: string): UsedFactor {
    const userId = this.#authentication.idOf(user)
    const now = this.#authentication.now()

    for (const factor of factorsOf(user) as TotpFactor[]) {
      if (factor.kind === 'totp') {
        const plain = this.#keys.decrypt(factor.secret, owner(userId, factor.id))
        const step = stepOf(plain, code, now)

        if (step !== undefined && step > factor.step) {
          return {
            // RFC 6238 §5.2: a code is good once, whichever process it is given to
            factor: { id: factor.id, step: { $lt: step } },
            set: {
              step,
              usedAt: new Date(now),
              ...(!this.#keys.isNewest(factor.secret) && {
                secret: this.#keys.encrypt(plain, owner(userId, factor.id))
              })
            }
          }
        }
      }
    }

    throw new Refused('invalid')
  }

  /** What a recovery code uses up. @throws Refused `invalid` */
  useRecoveryCode(user: FactorOwner, code: string): UsedFactor {
    const userId = this.#authentication.idOf(user)
    const stored = user.recoveryCodes ?? []
    const hash = this.#keys.hashes(codeOf(userId, code)).find((candidate) => stored.includes(candidate))

    if (hash === undefined || factorsOf(user).length === 0) {
      throw new Refused('invalid')
    }

    const notices = this.#notices

    return {
      recoveryCode: hash,
      ...(notices && { push: notices.codeUsed(user, stored.length - 1), also: notices.codeSpent(hash) })
    }
  }

  /** Checks that all stored secrets can be read. @throws ConfigurationError */
  async requireReadable(): Promise<void> {
    const users = await this.#authentication.users()
    const { key, partialFilterExpression } = factorsIndex

    await users.createIndex(key, { partialFilterExpression })

    const found = await users.findOne(
      {
        ...partialFilterExpression,
        factors: { $elemMatch: { 'secret.kid': { $exists: true, $nin: this.#keys.ids } } }
      },
      { projection: { factors: 1 } }
    )

    if (found) {
      const { configKey } = this.#authentication
      // Removed ones too, which may have to be restored
      const { kid } = (found.factors as Partial<TotpFactor>[]).find(
        ({ secret }) => secret && !this.#keys.ids.includes(secret.kid)
      )!.secret!

      throw new ConfigurationError(
        `${configKey}.factors.secret lacks the key ${kid}, which stored factors are encrypted with: ` +
          'put it back, behind the newest'
      )
    }
  }

  /**
   * The same at the start, if the database can be used then. Warns if nobody could use their recovery codes.
   *
   * @throws ConfigurationError
   */
  async start(): Promise<void> {
    const { configKey, configuration, warn } = this.#authentication
    const { authStrategies } = configuration
    const areHandedOut = ourFactorStrategies.some((name) => authStrategies.includes(name))

    if (areHandedOut && !authStrategies.includes('recovery-code')) {
      warn(
        `${configKey}.authStrategies lacks "recovery-code": users get recovery codes with their first factor, and can not use them`
      )
    }

    await this.requireReadable().catch((error: unknown) => {
      if (error instanceof ConfigurationError) {
        throw error
      }
    })
  }

  /** Notes in the session that a factor was given. Whether or not that succeeds, the factor is added. */
  async #raise({ userId, sessionId }: Caller, amr: string[] | undefined): Promise<void> {
    if (amr) {
      await this.#authentication.sessions
        .stepUp(userId, sessionId, { amr, hasFactor: true })
        .catch(() => undefined)
    }
  }

  /** The update that removes a factor, of which nothing is left unless a link may restore it. */
  #removal(user: FactorOwner, { id, kind }: StoredFactor, isLast: boolean): Document {
    const mayReturn = this.#notices?.mayRestore(user, id)
    const place = `factors.${user.factors!.findIndex((factor) => factor.id === id)}`
    const $unset = {
      ...(isLast && { recoveryCodes: '', recoveryCodesAt: '' }),
      ...(mayReturn && { [`${place}.kind`]: '' })
    }

    return {
      ...(mayReturn ? { $set: { [`${place}.removedKind`]: kind } } : { $pull: { factors: { id } } }),
      ...(Object.keys($unset).length > 0 && { $unset })
    }
  }

  #report({ userId, params }: Caller, type: FactorChange['type'], kind: string): void {
    this.#options.report?.({ type, userId, kind, by: userId, params })
  }

  get #authentication(): AuthenticationService {
    return this.#options.authentication
  }

  get #notices(): FactorNotices | undefined {
    return this.#options.notices?.()
  }

  #user(userId: string): Promise<FactorOwner> {
    return this.#authentication.storedUser(userId)
  }

  /** What apps for codes call the account: the name that its user signs in with. */
  #nameOf(user: FactorOwner): string {
    const { local } = this.#authentication.configuration
    const field: string = local?.entityUsernameField ?? local?.usernameField ?? 'email'

    return String(user[field] ?? this.#authentication.idOf(user))
  }

  /** Whether nothing but this factor signs in by itself: no password, no linked OAuth account, no other such passkey. */
  #isLastWayIn(user: FactorOwner, { id }: StoredFactor): boolean {
    const signIn = (factorsOf(user) as SigningFactor[]).filter(({ userVerified }) => userVerified)
    const { oauth } = this.#authentication.configuration
    const isLinked = oauthProviders(oauth).some(
      (name) => user.identities?.[name] !== undefined || user[`${name}Id`] !== undefined
    )

    return (
      signIn.some((factor) => factor.id === id) &&
      signIn.length === 1 &&
      !isLinked &&
      !this.#authentication.hasPassword(user)
    )
  }

  #storedCodes(userId: string, codes: string[]) {
    return {
      recoveryCodes: codes.map((code) => this.#keys.hash(codeOf(userId, code))),
      recoveryCodesAt: new Date(this.#authentication.now())
    } satisfies Partial<FactorOwner>
  }

  async #update(caller: Caller, condition: Document, update: Document): Promise<void> {
    if (!(await this.#write(caller, condition, update))) {
      await this.#requireCaller(caller, condition)
      throw new Conflict('The factors have been changed meanwhile')
    }
  }

  /** One conditional update, while the caller's session lives. Returns whether it was made. */
  async #write(
    { userId, sessionId }: Caller,
    condition: Document,
    update: Document,
    endsOthers = false
  ): Promise<boolean> {
    const { sessions, settings, live, now } = this.#authentication
    const unchanged = {
      ...condition,
      disabled: { $ne: true },
      [settings.sessionsField]: { $elemMatch: { id: sessionId, expiresAt: { $gt: new Date(now()) } } }
    }

    if (endsOthers) {
      return (
        (await sessions.endAll(userId, 'factor', { except: sessionId, update, unchanged, by: userId })) !==
        null
      )
    }

    return reach(async () => {
      const users = await this.#authentication.users()
      const { _id } = await this.#user(userId)
      const { matchedCount } = await users.updateOne({ _id, ...unchanged }, update, durable)

      // What is in memory here must not answer once this has been answered
      live.cache.forget(userId)
      return matchedCount === 1
    })
  }

  /** Explains a write that was not made. @throws Refused; NotFound */
  async #requireCaller({ userId, sessionId }: Caller, condition: Document): Promise<void> {
    const { user } = await this.#authentication.sessions.find(userId, sessionId)
    const pending: string | undefined = condition['pendingFactor.id']

    if (pending !== undefined && (user as FactorOwner).pendingFactor?.id !== pending) {
      throw new NotFound(`No record found for id '${pending}'`)
    }
  }
}

/** A passkey tells whether its authenticator verifies the user: then it is two factors, and signs in by itself. */
type SigningFactor = StoredFactor & { userVerified?: boolean }

/** The ways in as they were when it was found out which is the last one. */
const unchanged = ({ factors = [] }: FactorOwner, password: Document): Document => ({
  ...password,
  ...Object.fromEntries(factors.map(({ id }, index) => [`factors.${index}.id`, id])),
  factors: { $size: factors.length }
})

const owner = (userId: string, id: string): string => `${userId} ${id}`
const codeOf = (userId: string, code: string): string => `${userId} ${plainCode(code)}`

/** @throws Conflict */
function requireRoom(user: FactorOwner): void {
  if (factorsOf(user).filter(({ kind }) => kind === 'totp').length >= mostApps) {
    throw new Conflict(`There are ${mostApps} apps for codes already: remove one first`)
  }
}

const shown = ({ id, kind, name, createdAt, usedAt }: StoredFactor): Factor => ({
  id,
  kind,
  ...(name !== undefined && { name }),
  createdAt,
  ...(usedAt && { usedAt })
})

/** As `$push` takes it. */
const pushed = (lists: Document = {}): Document => lists

const withPush = (lists: Document | undefined): Document => (lists ? { $push: lists } : {})
