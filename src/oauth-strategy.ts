import type { AuthenticationParams, AuthenticationRequest } from '@feathersjs/authentication'
import type { OAuthProfile } from '@feathersjs/authentication-oauth'
import { Conflict } from '@feathersjs/errors'
import { Type } from '@feathersjs/typebox'
import type { Application } from './declarations.js'
import { isDuplicate } from './mongodb.js'
import { checkedBy, type SessionOwner } from './refresh-token/index.js'
import { OAuthStrategy, idOf } from './refresh-token/oauth/index.js'
import { userSchema } from './services/users/users.schema.js'

const longestName = 100 // characters
const { email } = userSchema.properties
const checkEmail = checkedBy(Type.Object({ email }))

/**
 * Signs in whom a provider knows: users who have its id in `identities`, or new ones. Who has signed up with the same
 * email before is another user: nobody has proved whose that email is.
 */
export class AccountStrategy extends OAuthStrategy {
  declare app: Application

  /** @throws BadRequest without an email; Conflict where it is taken; Refused `disabled` */
  override async authenticate(request: AuthenticationRequest, params: AuthenticationParams) {
    const profile = await this.getProfile(request, params)
    const user = (await this.#find(profile)) ?? (await this.#signUp(profile))

    return {
      authentication: { strategy: this.name! },
      user: await this.authentication.presentEntity(user, params)
    }
  }

  #find(profile: OAuthProfile): Promise<SessionOwner | null> {
    return this.authentication.findEntity(this.#identity(profile))
  }

  #identity(profile: OAuthProfile) {
    return { [`identities.${this.name}`]: String(idOf(profile)) }
  }

  async #signUp(profile: OAuthProfile): Promise<SessionOwner> {
    const user = this.#newUser(profile)

    try {
      await this.app.get('database').collection('users').insertOne(user)
      return user
    } catch (error) {
      if (!isDuplicate(error)) {
        throw error
      }
    }

    // Another sign-in of the same user, at the same time
    const other = await this.#find(profile)

    if (!other) {
      throw new Conflict('There is an account with this email already: sign in with its password')
    }

    return other
  }

  #newUser(profile: OAuthProfile): SessionOwner {
    const { name } = profile

    return {
      email: checkEmail({ email: profile.email }).email.toLowerCase(),
      ...(typeof name === 'string' && name && { name: Array.from(name).slice(0, longestName).join('') }),
      roles: ['user'],
      disabled: false,
      sessions: [],
      createdAt: new Date(this.app.get('now')()),
      identities: { [this.name!]: String(idOf(profile)) }
    }
  }
}
