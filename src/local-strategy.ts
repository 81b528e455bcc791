import { NotAuthenticated } from '@feathersjs/errors'
import type { AuthenticationRequest } from '@feathersjs/authentication'
import { LocalStrategy } from '@feathersjs/authentication-local'
import type { Params } from '@feathersjs/feathers'
import type { MongoDBService } from '@feathersjs/mongodb'
import { Type, type TObject } from '@feathersjs/typebox'
import type { Collection, Document } from 'mongodb'
import { caseInsensitive } from './mongodb.js'
import type { PasswordHasher } from './passwords.js'
import type { AuthenticationService } from './refresh-token/authentication-service.js'
import { deviceSchema } from './refresh-token/device.js'
import { Refused } from './refresh-token/errors.js'
import { checkedBy } from './refresh-token/validation.js'
import { verifyStoredPassword } from './stored-password.js'
import { accountName } from './validators.js'

/** The local strategy of Feathers, with Argon2id: strings only, and one answer for all that is wrong. */
export class Argon2Strategy extends LocalStrategy {
  declare authentication: AuthenticationService
  /** What requests are checked with. */
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
   * @throws NotAuthenticated without a reason for whatever does not match; `Refused` `disabled` when all does
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

    return {
      authentication: { strategy: this.name! },
      [entity]: await this.authentication.presentEntity({ ...user, [entityPasswordField]: hash }, params)
    }
  }

  override hashPassword(password: string): Promise<string> {
    return this.#hasher.hash(password)
  }

  /** The hash that the user has now, which may be one made just now; undefined when there is no match. */
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

  /** From the collection itself: the service shows nobody's password, and runs no operators it is given as a string. */
  async #findUser(username: string) {
    const users = await this.#users()
    const field = this.configuration.entityUsernameField
    const user = await users.findOne(
      { [field]: username.toLowerCase() },
      { collation: caseInsensitive, projection: { sessions: 0 } }
    )

    // Under a name that is counted as another one, its guesses would not be limited
    return user && accountName(String(user[field])) === accountName(username) ? user : null
  }

  #users(): Promise<Collection> {
    return (this.entityService as unknown as MongoDBService).getModel()
  }
}
