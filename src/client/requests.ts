import type { AuthenticationRequest, AuthenticationResult } from '@feathersjs/authentication'
import type { Params } from '@feathersjs/feathers'
import { convert } from './answers.js'
import type { Core } from './core.js'
import type { Kept } from './session-storage.js'

/** Signs in, and a socket too. */
export async function create(
  core: Core,
  data: AuthenticationRequest,
  params?: Params
): Promise<AuthenticationResult> {
  const { cookie, jwtStrategy } = core.client.options
  const { link } = core

  if (cookie && link && data.strategy !== jwtStrategy) {
    return byFetch(core, data)
  }

  const answer = await core.client.service.create(data, withCookies(core, params))

  if (link) {
    link.token = answer.accessToken
  }

  return answer
}

/** May be repeated until an answer has come. */
export const refresh = (core: Core, { key, refreshToken }: Kept): Promise<AuthenticationResult> =>
  create(core, {
    strategy: 'refresh-token',
    [core.client.options.refreshTokenField!]: refreshToken,
    idempotencyKey: key
  })

/** Ends the session of an access token; on a socket, the one that it is signed in with. */
export async function remove(core: Core, accessToken: string): Promise<AuthenticationResult> {
  const params: Params & { accessToken: string } = { accessToken }

  return core.client.options.cookie && core.link
    ? byFetch(core, undefined, accessToken)
    : core.client.service.remove(null as never, withCookies(core, params))
}

/** To @feathersjs/rest-client with `fetch`: the cookies of another origin too. */
const withCookies = (core: Core, params?: Params): Params | undefined =>
  core.client.options.cookie ? { ...params, connection: { credentials: 'include' } } : params

/** Signs in or, without data, out over HTTP, where the app itself has a socket: that brings no cookies. */
async function byFetch(
  core: Core,
  data?: AuthenticationRequest,
  accessToken?: string
): Promise<AuthenticationResult> {
  const { path, header, scheme } = core.client.options
  const response = await fetch(new URL(path, core.client.app.io.io.uri), {
    method: data ? 'POST' : 'DELETE',
    credentials: 'include',
    headers: {
      'Content-Type': 'application/json',
      ...(accessToken && { [header]: `${scheme} ${accessToken}` })
    },
    body: data && JSON.stringify(data)
  })
  const answer = await response.json()

  if (!response.ok) {
    throw convert(answer)
  }

  return answer as AuthenticationResult
}
