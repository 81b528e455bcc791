import type { AuthenticationRequest, AuthenticationResult } from '@feathersjs/authentication'
import type { Params } from '@feathersjs/feathers'
import { ignored, inTime } from './time.js'
import { isRefused } from './answers.js'
import { confirm, ready } from './calls.js'
import { isExpired, type Core } from './core.js'
import { renew } from './renewal.js'
import { create, refresh, remove } from './requests.js'
import type { Kept } from './session-storage.js'
import { end, keep } from './session.js'

export const signIn = (
  core: Core,
  data: AuthenticationRequest,
  params?: Params
): Promise<AuthenticationResult> =>
  inTurn(core, async () => {
    await leave(core)

    const askedAt = core.clock.now()
    const answer = await create(core, data, params)

    await core.left.write(undefined)
    await core.stock.write(undefined)
    await keep(core, answer, askedAt, true)
    return core.result!
  })

/** Goes on with the session that is kept. @param stock What the stock client does */
export async function resume(
  core: Core,
  stock: () => Promise<AuthenticationResult>,
  strategy?: string,
  params?: Params
): Promise<AuthenticationResult> {
  await leave(core)

  if (!(await find(core)) && !core.client.options.cookie) {
    return stock()
  }

  await (!core.result || isExpired(core) ? renew(core) : confirm(core, strategy, params))

  return core.result!
}

/** @param stock What the stock client does */
export const signOut = (
  core: Core,
  stock: () => Promise<AuthenticationResult | null>
): Promise<AuthenticationResult | null> =>
  inTurn(core, async () => {
    if (!(await find(core))) {
      core.result = undefined
      return stock()
    }

    let answer: AuthenticationResult | null = null

    try {
      answer = await tell(
        core,
        await core.storage.read(),
        ready(core).then((token) => remove(core, token!))
      )
    } finally {
      await end(core, null, answer)
    }

    return answer
  })

/** Tells the service of a sign-out that it could not be told of, if there is one. */
export const leave = (core: Core): Promise<void> =>
  (core.leaving ??= tellLater(core).finally(() => (core.leaving = undefined)))

async function tellLater(core: Core): Promise<void> {
  const kept = await core.left.read()

  if (kept) {
    const end = refresh(core, kept).then(({ accessToken }) => remove(core, accessToken, '_remove'))

    await tell(core, kept, end).then(() => core.left.write(undefined), ignored)
  }
}

/** Has the service end a session, or remembers to. @returns its answer, if there was anything to end */
async function tell(core: Core, kept: Kept | undefined, end: Promise<AuthenticationResult>) {
  try {
    return await inTime(core.clock, end)
  } catch (error) {
    await core.left.write(kept)

    if (core.link?.token) {
      core.client.app.io.disconnect().connect() // as nobody
    }
    // A refused access token leaves the session open: it is looked at later
    if (isRefused(error)) {
      return null
    }

    throw error
  }
}

/** What an earlier run of the app, or another tab, has kept. */
const find = async (core: Core): Promise<Kept | undefined> => (core.kept ??= await core.storage.read())

/** One after another: the last one counts. */
function inTurn<T>(core: Core, work: () => Promise<T>): Promise<T> {
  const turn = Promise.resolve(core.turn).then(work)

  core.turn = turn.catch(ignored)
  return turn
}
