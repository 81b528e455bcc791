import type { Params } from '@feathersjs/feathers'
import { isLost, refusalOf } from './answers.js'
import { isExpired, type Core } from './core.js'
import { renew } from './renewal.js'
import { create } from './requests.js'
import type { Send } from './transport.js'

/**
 * A call of a service. One that is refused because of its access token is repeated, once; so is one whose answer was
 * lost with the connection, if it is safe to.
 *
 * @param isSigning Of the authentication service: this waits for a connection, and for no token
 */
export async function call<T>(core: Core, send: Send<T>, isSigning: boolean, isSafe = false): Promise<T> {
  const { link } = core
  const wait = async () => (isSigning ? link?.connected() : ready(core))
  const turn = () => (link ? link.queue(wait) : wait())
  const sent = (token?: string) => (link ? link.send(send) : send(core.kept && token))
  const token = await turn()

  try {
    return await sent(token)
  } catch (error) {
    if (core.kept && token && refusalOf(error)) {
      if (token === core.result?.accessToken) {
        core.expiresAt = 0 // whatever our clock says
      }
    } else if (!isSafe || !isLost(error)) {
      throw error
    }

    return sent(await turn())
  }
}

/** Waits until calls can be made: with a valid access token, and on a socket that is signed in with it. */
export async function ready(core: Core): Promise<string | undefined> {
  const { link } = core

  for (let tries = 5; ; tries--) {
    await link?.connected()

    if (core.kept && (!core.result || isExpired(core))) {
      await renew(core)
    }

    const token: string | undefined = core.result?.accessToken

    if (!link || !token || link.token === token || !tries) {
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
      return renew(core)
    }

    throw error
  }
}
