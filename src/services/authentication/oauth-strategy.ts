import type { AuthenticationParams, AuthenticationRequest } from '@feathersjs/authentication'
import type { OAuthProfile } from '@feathersjs/authentication-oauth'
import { Conflict } from '@feathersjs/errors'
import { Type } from '@feathersjs/typebox'
import { ObjectId } from 'mongodb'
import type { Application } from '../../declarations.js'
import { caseInsensitive, isDuplicate } from '../../database/indexes.js'
import { checkedBy, type SessionOwner } from '../../refresh-token/index.js'
import { OAuthStrategy, idOf } from '../../refresh-token/oauth/index.js'
import { requireVerified } from './require-verified.js'
import { userSchema } from '../users/users.schema.js'

const longestName = 100 // characters
const { email } = userSchema.properties
const checkEmail = checkedBy(Type.Object({ email }))

/**
 * Signs in with an OAuth provider: the user with the provider's id in `identities`, or else a new one. With mail, an
 * account with the same email is linked if both sides have verified it; otherwise nobody has proved whose email it is.
 */
export class AccountStrategy extends OAuthStrategy {
  declare app: Application

  /** @throws BadRequest without an email; Conflict if it is taken; Refused `disabled`; Unverified */
  override async authenticate(request: AuthenticationRequest, params: AuthenticationParams) {
    const profile = await this.getProfile(request, params)
    const user = (await this.#find(profile)) ?? (await this.#signUp(profile))

    requireVerified(this.app, user)

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

    // The former owner may still take this address back
    if (await this.app.get('accountsByMail')?.users.isKept(String(user.email))) {
      throw emailTaken()
    }

    try {
      await this.app.get('database').collection('users').insertOne(user)
      return user
    } catch (error) {
      if (!isDuplicate(error)) {
        throw error
      }
    }

    // A simultaneous sign-in of the same user may have inserted it
    const other = (await this.#find(profile)) ?? (await this.#link(profile))

    if (!other) {
      throw emailTaken()
    }

    return other
  }

  /** Links the account with the same email, if the provider and we have both verified it. */
  async #link(profile: OAuthProfile): Promise<SessionOwner | null> {
    if (!this.app.get('mail') || !isVerified(profile)) {
      return null
    }

    await this.app
      .get('database')
      .collection('users')
      .updateOne(
        {
          email: checkEmail({ email: profile.email }).email.toLowerCase(),
          emailVerified: true,
          [`identities.${this.name}`]: { $exists: false }
        },
        { $set: this.#identity(profile) },
        { collation: caseInsensitive }
      )

    return this.#find(profile)
  }

  #newUser(profile: OAuthProfile): SessionOwner {
    const { name } = profile
    const accounts = this.app.get('accountsByMail')
    const _id = new ObjectId()

    return {
      _id,
      email: checkEmail({ email: profile.email }).email.toLowerCase(),
      ...(typeof name === 'string' && name && { name: Array.from(name).slice(0, longestName).join('') }),
      roles: ['user'],
      disabled: false,
      sessions: [],
      createdAt: new Date(this.app.get('now')()),
      ...(accounts &&
        (isVerified(profile)
          ? { emailVerified: true }
          : accounts.emailVerifications.ofNewAccount(String(_id)))),
      identities: { [this.name!]: String(idOf(profile)) }
    }
  }
}

/** Whether the provider says that it has verified the email (OpenID Connect Core §5.1). */
const isVerified = ({ email_verified: verified }: OAuthProfile): boolean => verified === true

const emailTaken = () =>
  new Conflict('There is an account with this email already: sign in with its password')
