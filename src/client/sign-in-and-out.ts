import type { AuthenticationRequest, AuthenticationResult } from '@feathersjs/authentication'
import type { Params } from '@feathersjs/feathers'
import { isRefused, refreshRefusalOf } from './answers.js'
import { confirm, ready } from './calls.js'
import type { Kept } from './core.js'
import { ignored, inTime } from './ports/clock.js'
import { create, refresh, remove } from './requests.js'
import { dispatch, emit, isExpired, readAnswer, renew, resultOf, type Runtime } from './runtime.js'

export function signIn(
  runtime: Runtime,
  data: AuthenticationRequest,
  params?: Params
): Promise<AuthenticationResult> {
  // A sign-out from now on is another
  runtime.signingOut = undefined

  return inTurn(runtime, async () => {
    await leave(runtime)

    const since = runtime.clock.elapsed()

    try {
      const answer = readAnswer(runtime, await create(runtime, data, params), since)

      await runtime.left.write()
      await runtime.stock.write()
      await dispatch(runtime, 'signedIn', ...answer)

      if (!runtime.state.kept) {
        await runtime.client.setAccessToken(answer[0].accessToken)
      }

      return answer[0]
    } catch (error) {
      await forget(runtime, error)
      throw error
    }
  })
}

/** Gives credentials again, for the session at hand: its refresh token stays. */
export function stepUp(
  runtime: Runtime,
  data: AuthenticationRequest,
  params?: Params
): Promise<AuthenticationResult> {
  return inTurn(runtime, async () => {
    const { client, clock } = runtime
    const { header, scheme } = client.options
    const headers = { ...params?.headers, [header]: `${scheme} ${await ready(runtime)}` }
    const since = clock.elapsed()
    const [answer, , life] = readAnswer(runtime, await create(runtime, data, { ...params, headers }), since)

    await dispatch(runtime, 'raised', answer, life)

    if (!runtime.state.kept) {
      await client.setAccessToken(answer.accessToken)
    }

    return answer
  })
}

/** Goes on with the session that is kept. @param stock What the stock client does */
export async function resume(
  runtime: Runtime,
  stock: () => Promise<AuthenticationResult>,
  strategy?: string,
  params?: Params
): Promise<AuthenticationResult> {
  await leave(runtime)

  if (!(await find(runtime)) && !runtime.client.options.cookie) {
    return stock()
  }

  await (!runtime.state.result || isExpired(runtime)
    ? renew(runtime, true)
    : confirm(runtime, strategy, params))

  return resultOf(runtime)
}

/** One at a time: a hook of the app that signs out because a sign-out was refused waits for that. */
export const signOut = (runtime: Runtime): Promise<AuthenticationResult | null> =>
  (runtime.signingOut ??= inTurn(runtime, () => endSession(runtime)).finally(
    () => (runtime.signingOut = undefined)
  ))

async function endSession(runtime: Runtime): Promise<AuthenticationResult | null> {
  const { client, storage } = runtime

  if (!(await find(runtime)) && !client.options.cookie) {
    return endStockSession(runtime)
  }

  let answer: AuthenticationResult | null = null

  try {
    // Somebody may have cleared the storage
    const kept = (await storage.read()) ?? runtime.state.kept

    answer = await tell(
      runtime,
      kept,
      ready(runtime).then((token) => remove(runtime, token))
    )
  } finally {
    await dispatch(runtime, 'ended', null, answer)
  }

  return answer
}

/** As the stock client does. */
async function endStockSession(runtime: Runtime): Promise<AuthenticationResult | null> {
  const { app } = runtime.client

  try {
    const answer = await remove(runtime)

    await runtime.client.removeAccessToken()
    await dispatch(runtime, 'forgotten')
    emit(app, 'logout', answer)
    return answer
  } catch (error) {
    await dispatch(runtime, 'forgotten')

    if (isRefused(error)) {
      await runtime.client.removeAccessToken()
      return null
    }

    throw error
  }
}

/** As the stock client does when its only token is refused. */
async function forget(runtime: Runtime, error: unknown): Promise<void> {
  if (!runtime.state.kept && isRefused(error)) {
    await runtime.client.removeAccessToken()
    await dispatch(runtime, 'forgotten')
  }
}

/** Tells the service of a sign-out that it could not be told of, if there is one. */
export const leave = (runtime: Runtime): Promise<void> =>
  (runtime.leaving ??= tellLater(runtime).finally(() => (runtime.leaving = undefined)))

async function tellLater(runtime: Runtime): Promise<void> {
  const kept = await runtime.left.read()

  if (kept) {
    try {
      const { accessToken } = await refresh(runtime, kept)

      await remove(runtime, accessToken, '_remove')
    } catch (error) {
      if (refreshRefusalOf(error, runtime.client.options.cookie) === undefined) {
        return
      }
    }

    await runtime.left.write()
  }
}

/** Has the service end a session, or remembers to. @returns its answer, if there was anything to end */
async function tell(
  runtime: Runtime,
  kept: Kept | undefined,
  ending: Promise<AuthenticationResult>
): Promise<AuthenticationResult | null> {
  try {
    return await inTime(runtime.clock, ending)
  } catch (error) {
    await runtime.left.write(kept)

    if (runtime.link?.token) {
      runtime.client.app.io.disconnect().connect() // as nobody
    }
    // A refused access token leaves the session open: the service is told later
    if (isRefused(error)) {
      return null
    }

    throw error
  }
}

/** What an earlier run of the app, or another tab, has kept. */
async function find(runtime: Runtime): Promise<Kept | undefined> {
  if (!runtime.state.kept) {
    const stored = await runtime.storage.read()

    if (stored) {
      await dispatch(runtime, 'found', stored)
    }
  }

  return runtime.state.kept
}

/** One after another: the last one counts. */
function inTurn<T>(runtime: Runtime, work: () => Promise<T>): Promise<T> {
  const turn = Promise.resolve(runtime.turn).then(work)

  runtime.turn = turn.catch(ignored)
  return turn
}
