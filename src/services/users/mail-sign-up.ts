import { setTimeout as sleep } from 'node:timers/promises'
import { ObjectId } from 'mongodb'
import type { Notice } from '../../accounts/internal.js'
import type { HookContext, NextFunction } from '../../declarations.js'
import { isDuplicate } from '../../database/indexes.js'
import { clientOf } from '../../http/client-of.js'
import { emailTaken } from '../../hooks/convert-errors.js'
import type { PasskeyAccount } from '../../passkeys/internal.js'
import type { UserService } from './users.class.js'
import type { User, UserData } from './users.schema.js'

/** A new user as it is stored. */
type NewUser = User & Partial<PasskeyAccount> & { password?: string; sessions?: unknown; notices: Notice[] }

/** Nothing is stored: the former owner of the address may still take it back. */
class EmailKept extends Error {}

/** Before a user is created, with mail: adds the mail that verifies the address to the stored user. @throws EmailKept */
export const askToVerify = () => async (context: HookContext<UserService>) => {
  const accounts = context.app.get('accountsByMail')

  if (accounts) {
    const _id = new ObjectId()
    const user = context.data as UserData

    const isNew = accounts.emailVerifications.ofNewAccount(String(_id), clientOf(context.params))

    context.data = { _id, ...user, ...isNew } as never

    if (await accounts.users.isKept(user.email)) {
      throw new EmailKept()
    }
  }
}

/**
 * Around the creation of a user, with mail: an address that its former owner may still take back counts as taken. With
 * `accounts.verified: "sign-in"`, a client's sign-up with a taken address gets the same answer as any other, and only
 * the owner of the address learns of it, by mail.
 *
 * @throws Conflict
 */
export const hideTaken = () => async (context: HookContext<UserService>, next: NextFunction) => {
  const { app, params } = context
  const accounts = app.get('accountsByMail')
  const hides = params.provider !== undefined && app.get('accounts').verified === 'sign-in'

  const start = performance.now()

  if (!accounts) {
    await next()
    return
  }

  const isTaken = await next().then(
    () => false,
    (error: unknown) => {
      if (!isDuplicate(error) && !(error instanceof EmailKept)) {
        throw error
      }
      return true
    }
  )
  const user = context.data as unknown as NewUser
  // It may be kept since a moment ago
  const isKept = !isTaken && (await accounts.users.isKept(user.email))

  if (isKept) {
    await app.get('database').collection('users').deleteOne({ _id: user._id })
  }
  if ((isKept || isTaken) && !hides) {
    throw emailTaken()
  }

  await accounts.emailVerifications.askForSignUp(user.email, user, isKept || isTaken)

  if (hides) {
    // Made from the same for everybody
    context.result = accounts.users.shown(user) as User
    await nextTick(start)
  }
  if (isKept || isTaken) {
    context.event = null
  }
}

// ms: storing a user takes a millisecond longer than not storing it, and both take much less than this
const tick = 100

/** Waits until a multiple of 100 ms has passed, so that the time of an answer doesn't reveal what was done. */
async function nextTick(start: number): Promise<void> {
  const elapsed = performance.now() - start

  await sleep(Math.ceil(elapsed / tick) * tick - elapsed, undefined, { ref: false })
}
