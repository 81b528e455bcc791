import { NotAuthenticated } from '@feathersjs/errors'
import type { AuthenticationRequest } from '@feathersjs/authentication'
import { LocalStrategy } from '@feathersjs/authentication-local'
import type { Params } from '@feathersjs/feathers'
import type { MongoDBService } from '@feathersjs/mongodb'
import { Type, type TObject } from '@feathersjs/typebox'
import type { Collection, Document } from 'mongodb'
import type { Application } from '../../declarations.js'
import { caseInsensitive } from '../../database/indexes.js'
import { matchesBeginning, type PasswordHasher } from '../../passwords/hasher.js'
import { type AuthenticationService, Refused, checkedBy } from '../../refresh-token/index.js'
import { deviceSchema } from '../../refresh-token/internal.js'
import { verifyStoredPassword } from '../../passwords/verify.js'
import { requireVerified } from './require-verified.js'
import { accountName, isAccountName } from '../users/account-name.js'

/** The local strategy of Feathers with Argon2id. It accepts only strings, and any wrong credentials get the same answer. */
export class Argon2Strategy extends LocalStrategy {
  declare authentication: AuthenticationService
  /** The schema of requests. */
  requestSchema!: TObject
  #check!: (data: unknown) => { [field: string]: unknown }
  readonly #hasher: PasswordHasher

  constructor(hasher: PasswordHasher) {
    super()
    this.#hasher = hasher
  }

  override verifyConfiguration(): void {
    super.verifyConfiguration()

    const { usernameField, passwordField } = this.configuration
    const string = Type.String()

    this.requestSchema = Type.Object(
      {
        strategy: string,
        [usernameField]: string,
        [passwordField]: string,
        device: Type.Optional(deviceSchema)
      },
      { additionalProperties: false }
    )
    this.#check = checkedBy(this.requestSchema)
  }

  /**
   * @throws BadRequest for a malformed request
   * @throws NotAuthenticated without a reason if anything doesn't match; `Refused` `disabled` if everything does
   */
  override async authenticate(request: AuthenticationRequest, params: Params) {
    const { usernameField, passwordField, entityPasswordField, entity, errorMessage } = this.configuration
    const { [usernameField]: username, [passwordField]: password } = this.#check(request) as Record<
      string,
      string
    >
    const user = await this.#findUser(username!)
    const hash = await this.#verifiedHash(user, password!)

    if (!user || !hash) {
      throw new NotAuthenticated(errorMessage)
    }
    if (user.disabled) {
      throw new Refused('disabled')
    }
    requireVerified(this.app as Application, user)

    const newPasswordNeeded =
      user.newPasswordNeeded || (await this.#countsBeginningOnly(user, hash, password!))

    return {
      authentication: {
        strategy: this.name!,
        ...(newPasswordNeeded && { newPasswordNeeded: true })
      },
      [entity]: await this.authentication.presentEntity({ ...user, [entityPasswordField]: hash }, params)
    }
  }

  override hashPassword(password: string): Promise<string> {
    return this.#hasher.hash(password)
  }

  /** The user's current hash, which may have just been upgraded; undefined if the password is wrong. */
  async #verifiedHash(user: Document | null, password: string): Promise<string | undefined> {
    const { entityPasswordField: field } = this.configuration
    const hash: string | undefined = user?.[field]

    if (!user || hash === undefined) {
      await this.#hasher.verify(undefined, password)
      return undefined
    }

    const users = await this.#users()

    return verifyStoredPassword(this.#hasher, { users, id: user._id, field, hash }, password)
  }

  /** Whether all that counts of a password is its beginning. Noted, since a second step doesn't see the password. */
  async #countsBeginningOnly({ _id }: Document, hash: string, password: string): Promise<boolean> {
    if (!matchesBeginning(hash, password)) {
      return false
    }

    const users = await this.#users()
    const { entityPasswordField } = this.configuration

    await users.updateOne({ _id, [entityPasswordField]: hash }, { $set: { newPasswordNeeded: true } })
    return true
  }

  /** Reads the collection itself, since the users service hides passwords. */
  async #findUser(username: string): Promise<Document | null> {
    // Comparing a long name under the collation would cost the database a lot
    if (!isAccountName(username)) {
      return null
    }

    const users = await this.#users()
    const field = this.configuration.entityUsernameField
    const user = await users.findOne(
      { [field]: username.toLowerCase() },
      { collation: caseInsensitive, projection: { sessions: 0 } }
    )

    // The collation may match a name that the rate limit counts separately, and guesses would not be limited
    return user && accountName(String(user[field])) === accountName(username) ? user : null
  }

  #users(): Promise<Collection> {
    return (this.entityService as unknown as MongoDBService).getModel()
  }
}
