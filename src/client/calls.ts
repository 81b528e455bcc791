import type { Params } from '@feathersjs/feathers'
import { isLost, refusalOf, stepUpOf } from './answers.js'
import type { Send } from './ports/transport.js'
import { create } from './requests.js'
import { dispatch, emit, isExpired, renew, type Runtime } from './runtime.js'

/**
 * Makes a service call. Repeats it once if it was refused because of its access token, or if its answer was lost with
 * the connection and the method is safe.
 *
 * @param isSigning Whether it calls the authentication service, and so waits for a connection but not for a token
 */
export async function call<T>(
  runtime: Runtime,
  send: Send<T>,
  isSigning: boolean,
  isSafe = false
): Promise<T> {
  const { link } = runtime
  const wait = async () => (isSigning ? link?.connected() : ready(runtime))
  const turn = () => (link ? link.queue(wait) : wait())
  const sent = (token?: string) => (link ? link.send(send) : send(runtime.state.kept && token))
  const token = await turn()

  try {
    return await sent(token)
  } catch (error) {
    const asked = stepUpOf(error)

    if (asked && !isSigning) {
      emit(runtime.client.app, 'step-up', asked)
    }

    const isDoubted = runtime.state.kept && token && token !== runtime.trusted && refusalOf(error)

    if (isDoubted) {
      await dispatch(runtime, 'doubted', token)
    } else if (!isSafe || !isLost(error)) {
      throw error
    }

    const next = await turn()

    return sent(next).catch((error) => {
      if (isDoubted && refusalOf(error)) {
        // A new token was refused too, so the token isn't the problem: don't renew it for further calls
        runtime.trusted = next
      }

      throw error
    })
  }
}

/** Waits for a valid access token and, on a socket, until the socket is signed in with it. */
export async function ready(runtime: Runtime): Promise<string | undefined> {
  const { link } = runtime

  for (let tries = 5; ; tries--) {
    // A delayed sign-out signs the socket in for a moment
    await (link && runtime.leaving)
    await link?.connected()

    if (runtime.accepted) {
      return runtime.accepted
    }
    if (runtime.state.kept && (!runtime.state.result || isExpired(runtime))) {
      await renew(runtime)
    }

    const token: string | undefined = runtime.state.result?.accessToken

    if (!link || !token || link.token === token || !tries) {
      return token
    }

    await (runtime.signing ??= confirm(runtime).finally(() => (runtime.signing = undefined)))
  }
}

/** Verifies the current access token with the service, which also signs a socket in. */
export async function confirm(
  runtime: Runtime,
  strategy = runtime.client.options.jwtStrategy,
  params?: Params
): Promise<void> {
  const { accessToken } = runtime.state.result!

  try {
    await dispatch(
      runtime,
      'confirmed',
      accessToken,
      await create(runtime, { strategy, accessToken }, params)
    )
  } catch (error) {
    if (!runtime.state.kept || !refusalOf(error)) {
      throw error
    }

    await renew(runtime)
  }
}
