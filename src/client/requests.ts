import type { AuthenticationRequest, AuthenticationResult } from '@feathersjs/authentication'
import type { Params } from '@feathersjs/feathers'
import { convert, isRefused } from './answers.js'
import type { Core } from './core.js'
import { forget } from './session.js'
import type { Kept } from './session-storage.js'

/** Signs in, and a socket too. */
export async function create(
  core: Core,
  data: AuthenticationRequest,
  params?: Params
): Promise<AuthenticationResult> {
  const { cookie, jwtStrategy } = core.client.options
  const { link } = core

  try {
    if (cookie && data.strategy !== jwtStrategy) {
      if (data.strategy !== 'refresh-token') {
        data = { ...data, cookie }
      }
      if (link) {
        return await byFetch(core, data)
      }
    }

    const answer = await core.client.service.create(data, withCookies(core, params))

    if (link) {
      link.token = answer.accessToken
    }

    return answer
  } catch (error) {
    if (!core.kept && isRefused(error)) {
      await forget(core)
    }

    throw error
  }
}

/** May be repeated until an answer has come. */
export const refresh = (core: Core, { key, refreshToken }: Kept): Promise<AuthenticationResult> =>
  create(core, {
    strategy: 'refresh-token',
    [core.client.options.refreshTokenField!]: refreshToken,
    idempotencyKey: key
  })

/**
 * Ends the session of an access token; on a socket, the one that it is signed in with.
 *
 * @param method `_remove` runs no hooks: that of the official client waits for a sign-in that is under way
 */
export function remove(
  core: Core,
  accessToken: string,
  method: 'remove' | '_remove' = 'remove'
): Promise<AuthenticationResult> {
  const { cookie, header, scheme } = core.client.options
  const headers = { [header]: `${scheme} ${accessToken}` }

  return cookie && core.link
    ? byFetch(core, undefined, headers)
    : core.client.service[method as 'remove'](null as never, withCookies(core, { headers }))
}

/** To @feathersjs/rest-client with `fetch`: the cookies of another origin too. */
const withCookies = (core: Core, params?: Params): Params | undefined =>
  core.client.options.cookie ? { ...params, connection: { credentials: 'include' } } : params

/** Signs in or, without data, out over HTTP, where the app itself has a socket: that brings no cookies. */
async function byFetch(
  core: Core,
  data?: AuthenticationRequest,
  headers?: Record<string, string>
): Promise<AuthenticationResult> {
  const response = await fetch(new URL(core.client.options.path, core.client.app.io.io.uri), {
    method: data ? 'POST' : 'DELETE',
    credentials: 'include',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: data && JSON.stringify(data)
  })
  const answer = await response.json()

  if (!response.ok) {
    throw convert(answer)
  }

  return answer as AuthenticationResult
}
