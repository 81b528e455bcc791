import type { AuthenticationRequest, AuthenticationResult } from '@feathersjs/authentication'
import type { Params } from '@feathersjs/feathers'
import { ignored } from './time.js'
import { isRefused } from './answers.js'
import { confirm, ready } from './calls.js'
import { isExpired, type Core } from './core.js'
import { renew } from './renewal.js'
import { create, remove } from './requests.js'
import type { Kept } from './session-storage.js'
import { end, forget, keep } from './session.js'

export const signIn = (
  core: Core,
  data: AuthenticationRequest,
  params?: Params
): Promise<AuthenticationResult> =>
  takeTurn(core, async () => {
    const askedAt = core.clock.now()
    const { cookie, jwtStrategy } = core.client.options
    const byCookie = cookie && data.strategy !== jwtStrategy && data.strategy !== 'refresh-token'

    try {
      const answer = await create(core, byCookie ? { ...data, cookie } : data, params)

      await keep(core, answer, askedAt, true)
      return core.result!
    } catch (error) {
      if (!core.kept && isRefused(error)) {
        await forget(core)
      }

      throw error
    }
  })

/** Goes on with the session that is kept. @param stock What the stock client does */
export async function resume(
  core: Core,
  stock: () => Promise<AuthenticationResult>,
  strategy?: string,
  params?: Params
): Promise<AuthenticationResult> {
  if (!(await find(core)) && !core.client.options.cookie) {
    return stock()
  }

  await (core.result && !isExpired(core) ? confirm(core, strategy, params) : renew(core))

  return core.result!
}

/** @param stock What the stock client does */
export const signOut = (
  core: Core,
  stock: () => Promise<AuthenticationResult | null>
): Promise<AuthenticationResult | null> =>
  takeTurn(core, async () => {
    if (!(await find(core))) {
      core.result = undefined
      return stock()
    }

    let answer: AuthenticationResult | null = null

    try {
      await ready(core)
      answer = await remove(core, core.result!.accessToken)
    } catch (error) {
      if (!isRefused(error)) {
        throw error
      }
    } finally {
      await end(core, null, answer)
    }

    return answer
  })

/** What an earlier run of the app, or another tab, has kept. */
const find = async (core: Core): Promise<Kept | undefined> => (core.kept ??= await core.storage.read())

/** One after another: the last one counts. */
function takeTurn<T>(core: Core, work: () => Promise<T>): Promise<T> {
  const turn = Promise.resolve(core.turn).then(work)

  core.turn = turn.catch(ignored)
  return turn
}
