import { NotAuthenticated } from '@feathersjs/errors'
import type { AuthenticationRequest } from '@feathersjs/authentication'
import { LocalStrategy } from '@feathersjs/authentication-local'
import type { Params } from '@feathersjs/feathers'
import type { MongoDBService } from '@feathersjs/mongodb'
import { Type } from '@feathersjs/typebox'
import { randomUUID } from 'node:crypto'
import { caseInsensitive } from './mongodb.js'
import { hashPassword, verifyPassword } from './passwords.js'
import { deviceSchema, type AuthenticationService } from './refresh-token/authentication-service.js'
import { Refused } from './refresh-token/errors.js'
import { checkedBy } from './refresh-token/validation.js'
import { accountName } from './validators.js'

// What the password of an unknown user is compared with, so that it takes the same time as a wrong one
const nobodysHash = hashPassword(randomUUID())

/** The local strategy of Feathers, with Argon2id: strings only, and one answer for all that is wrong. */
export class Argon2Strategy extends LocalStrategy {
  declare authentication: AuthenticationService
  #check!: (data: unknown) => { [field: string]: unknown }

  override verifyConfiguration(): void {
    super.verifyConfiguration()

    const { usernameField, passwordField } = this.configuration
    const string = Type.String()

    this.#check = checkedBy(
      Type.Object(
        {
          strategy: string,
          [usernameField]: string,
          [passwordField]: string,
          device: Type.Optional(deviceSchema)
        },
        { additionalProperties: false }
      )
    )
  }

  /**
   * @throws BadRequest for a malformed request
   * @throws NotAuthenticated without a reason for whatever does not match; `Refused` `disabled` when all does
   */
  override async authenticate(request: AuthenticationRequest, params: Params) {
    const { usernameField, passwordField, entity, errorMessage } = this.configuration
    const { [usernameField]: username, [passwordField]: password } = this.#check(request) as Record<
      string,
      string
    >
    const user = await this.#findUser(username!)
    const matches = await verifyPassword(
      user?.[this.configuration.entityPasswordField] ?? (await nobodysHash),
      password!
    )

    if (!user || !matches) {
      throw new NotAuthenticated(errorMessage)
    }
    if (user.disabled) {
      throw new Refused('disabled')
    }

    return {
      authentication: { strategy: this.name! },
      [entity]: await this.authentication.presentEntity(user, params)
    }
  }

  override hashPassword(password: string): Promise<string> {
    return hashPassword(password)
  }

  /** From the collection itself: the service shows nobody's password, and runs no operators it is given as a string. */
  async #findUser(username: string) {
    const users = await (this.entityService as unknown as MongoDBService).getModel()
    const field = this.configuration.entityUsernameField
    const user = await users.findOne(
      { [field]: username.toLowerCase() },
      { collation: caseInsensitive, projection: { sessions: 0 } }
    )

    // Under a name that is counted as another one, its guesses would not be limited
    return user && accountName(String(user[field])) === accountName(username) ? user : null
  }
}
