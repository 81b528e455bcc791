import type { AuthenticationRequest, AuthenticationResult } from '@feathersjs/authentication'
import type { Params } from '@feathersjs/feathers'
import { isRefused, refreshRefusalOf, refusalOf, Unavailable } from './answers.js'
import { confirm, ready } from './calls.js'
import type { Kept } from './core.js'
import { ignored, inTime } from './ports/clock.js'
import { create, refresh, remove } from './requests.js'
import { dispatch, emit, isExpired, readAnswer, renew, resultOf, type Runtime } from './runtime.js'

export function signIn(
  runtime: Runtime,
  data: AuthenticationRequest,
  params: Params | undefined,
  onAccepted: (result: AuthenticationResult) => void
): Promise<AuthenticationResult> {
  // A sign-out after this one must not join one from before
  runtime.signingOut = undefined

  return inTurn(runtime, async () => {
    await leave(runtime)

    const since = runtime.clock.elapsed()

    try {
      const answer = readAnswer(runtime, await create(runtime, data, params, undefined, onAccepted), since)

      await runtime.left.write()
      await runtime.client.removeAccessToken()
      await dispatch(runtime, 'signedIn', ...answer)

      if (!runtime.state.kept) {
        await runtime.client.setAccessToken(answer[0].accessToken)
      }

      return answer[0]
    } catch (error) {
      if (refusalOf(error) === 'invalid') {
        runtime.foreign = data.accessToken
      }

      if (runtime.accepted) {
        // A hook of the app refused what the service accepted
        resetConnection(runtime)
      }

      await forget(runtime, error)
      throw error
    } finally {
      runtime.accepted = undefined
    }
  })
}

/** Gives credentials again, for the current session, which keeps its refresh token. */
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

/** Resumes the stored session. @param stock Does what the stock client does */
export async function resume(
  runtime: Runtime,
  stock: () => Promise<AuthenticationResult>,
  strategy?: string,
  params?: Params
): Promise<AuthenticationResult> {
  await leave(runtime)

  if (!(await find(runtime)) && !runtime.client.options.cookie) {
    if (runtime.storage.isSilent()) {
      throw new Unavailable('The storage does not answer')
    }

    return stock()
  }

  await (!runtime.state.result || isExpired(runtime)
    ? renew(runtime, true)
    : confirm(runtime, strategy, params))

  return resultOf(runtime)
}

/** Signs out. Joins a sign-out in progress, as when an error hook of the app signs out again. */
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
    // The storage may have been cleared
    const kept = (await storage.read()) ?? runtime.state.kept

    answer = await tell(
      runtime,
      kept,
      ready(runtime).then((token) => remove(runtime, token))
    )
  } finally {
    await dispatch(runtime, 'ended', null, answer)
    await runtime.left.read() // stores it again if it did not fit beside the session
  }

  return answer
}

/** Signs out of a service without refresh tokens, as the stock client does. */
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

/** Forgets a refused token if there is no refresh token, as the stock client does. */
async function forget(runtime: Runtime, error: unknown): Promise<void> {
  if (!runtime.state.kept && isRefused(error)) {
    await runtime.client.removeAccessToken()
    await dispatch(runtime, 'forgotten')
  }
}

/** Tells the service of an earlier sign-out, if it could not be told at the time. */
export const leave = (runtime: Runtime): Promise<void> =>
  (runtime.leaving ??= tellLater(runtime).finally(() => (runtime.leaving = undefined)))

/** Ends a session at the service that the storage has lost. */
export const leaveLost = (runtime: Runtime, kept: Kept, accessToken?: string): Promise<void> =>
  inTurn(runtime, async () => {
    await tell(runtime, kept, remove(runtime, accessToken, '_remove')).catch(ignored)
    await leave(runtime)
  })

async function tellLater(runtime: Runtime): Promise<void> {
  const kept = await runtime.left.read()

  if (kept) {
    try {
      const { accessToken } = await refresh(runtime, kept)

      await remove(runtime, accessToken, '_remove')
    } catch (error) {
      // The service may have signed the socket in, even if its answer was lost
      resetConnection(runtime)

      if (refreshRefusalOf(error, runtime.client.options.cookie) === undefined) {
        return
      }
    }

    await runtime.left.write()
  }
}

/** Waits for the service to end a session; if that fails, remembers to tell it later. */
async function tell(
  runtime: Runtime,
  kept: Kept | undefined,
  ending: Promise<AuthenticationResult>
): Promise<AuthenticationResult | null> {
  try {
    return await inTime(runtime.clock, ending)
  } catch (error) {
    await runtime.left.write(kept)

    resetConnection(runtime)

    // The access token was refused, so the session is still open; the service is told later
    if (isRefused(error)) {
      return null
    }

    throw error
  }
}

/** Replaces the connection of a socket by one that is not signed in. */
function resetConnection({ client, link }: Runtime): void {
  if (link && client.app.io.connected) {
    client.app.io.disconnect().connect()
  }
}

/** The session that an earlier run of the app, or another tab, has stored. */
async function find(runtime: Runtime): Promise<Kept | undefined> {
  if (!runtime.state.kept) {
    const stored = await runtime.storage.read()

    if (stored) {
      await dispatch(runtime, 'found', stored)
    }
  }

  return runtime.state.kept
}

/** Runs sign-ins and sign-outs one after another; the last one counts. */
function inTurn<T>(runtime: Runtime, work: () => Promise<T>): Promise<T> {
  const turn = Promise.resolve(runtime.turn).then(work)

  runtime.turn = turn.catch(ignored)
  return turn
}
