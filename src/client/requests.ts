import type { AuthenticationRequest, AuthenticationResult } from '@feathersjs/authentication'
import type { AuthenticationClientOptions } from '@feathersjs/authentication-client'
import type { Params } from '@feathersjs/feathers'
import { convert } from './answers.js'
import type { Core } from './core.js'
import type { Kept } from './session-storage.js'

/** Signs in, and a socket too. */
export async function create(
  { client: { options, service }, link }: Core,
  data: AuthenticationRequest,
  params?: Params
): Promise<AuthenticationResult> {
  if (options.cookie && link && data.strategy !== options.jwtStrategy) {
    return byFetch(link.uri, options, data)
  }

  const answer = await service.create(data, withCookies(options, params))

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
export async function remove(
  { client: { options, service }, link }: Core,
  accessToken: string
): Promise<AuthenticationResult> {
  const params: Params & { accessToken: string } = { accessToken }

  return options.cookie && link
    ? byFetch(link.uri, options, undefined, accessToken)
    : service.remove(null as never, withCookies(options, params))
}

/** To @feathersjs/rest-client with `fetch`: the cookies of another origin too. */
const withCookies = ({ cookie }: AuthenticationClientOptions, params?: Params): Params | undefined =>
  cookie ? { ...params, connection: { credentials: 'include' } } : params

/** Signs in or, without data, out over HTTP, where the app itself has a socket: that brings no cookies. */
async function byFetch(
  address: string,
  { path, header, scheme }: AuthenticationClientOptions,
  data?: AuthenticationRequest,
  accessToken?: string
): Promise<AuthenticationResult> {
  const response = await fetch(new URL(path, address), {
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
