import type { Params } from '@feathersjs/feathers'
import { isRefused, refusalOf } from './answers.js'
import { isExpired, type Core } from './core.js'
import { renew } from './renewal.js'
import { create } from './requests.js'
import { forget } from './session.js'
import type { Send } from './transport.js'

/**
 * A call of a service. One that is refused because of its access token is repeated, once.
 *
 * @param isSigning Of the authentication service: this waits for a connection, and for no token
 */
export async function call<T>(core: Core, send: Send<T>, isSigning: boolean): Promise<T> {
  const { link } = core
  const wait = async () => (isSigning ? link?.connected() : ready(core))
  const token = await (link ? link.queue(wait) : wait())

  try {
    return await sent(core, send, token)
  } catch (error) {
    if (!core.kept || !token || !refusalOf(error)) {
      throw error
    }
    if (token === core.result?.accessToken) {
      await renew(core)
    }

    return sent(core, send, await ready(core))
  }
}

const sent = <T>({ kept, link }: Core, send: Send<T>, token?: string): Promise<T> =>
  link ? link.send(() => send()) : send(kept && token)

/** Waits until calls can be made: with a valid access token, and on a socket that is signed in with it. */
export async function ready(core: Core): Promise<string | undefined> {
  const { link } = core

  for (;;) {
    await link?.connected()

    if (core.kept && (!core.result || isExpired(core))) {
      await renew(core)
    }

    const token: string | undefined = core.result?.accessToken

    if (!link || !token || link.token === token) {
      return token
    }

    await (core.signing ??= confirm(core).finally(() => (core.signing = undefined)))
  }
}

/** Asks the service about the access token at hand, which signs a socket in. */
export async function confirm(
  core: Core,
  strategy = core.client.options.jwtStrategy,
  params?: Params
): Promise<void> {
  const { accessToken } = core.result!

  try {
    const answer = await create(core, { strategy, accessToken }, params)

    if (core.result?.accessToken === accessToken) {
      core.result = { ...core.result, ...answer }
    }
  } catch (error) {
    if (core.kept && refusalOf(error)) {
      await renew(core)
      return
    }
    if (!core.kept && isRefused(error)) {
      await forget(core)
    }

    throw error
  }
}
