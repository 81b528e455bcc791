import type { Params } from '@feathersjs/feathers'
import { isLost, refusalOf, stepUpOf } from './answers.js'
import type { Send } from './ports/transport.js'
import { create } from './requests.js'
import { dispatch, emit, isExpired, renew, type Runtime } from './runtime.js'

/**
 * A call of a service. One that is refused because of its access token is repeated, once; so is one whose answer was
 * lost with the connection, if it is safe to.
 *
 * @param isSigning Of the authentication service: this waits for a connection, and for no token
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
        // It is not about the token: to renew it for each such call would be of no use
        runtime.trusted = next
      }

      throw error
    })
  }
}

/** Waits until calls can be made: with a valid access token, and on a socket that is signed in with it. */
export async function ready(runtime: Runtime): Promise<string | undefined> {
  const { link } = runtime

  for (let tries = 5; ; tries--) {
    await link?.connected()

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

/** Asks the service about the access token at hand, which signs a socket in. */
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
