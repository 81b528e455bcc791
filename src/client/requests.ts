import type { AuthenticationRequest, AuthenticationResult } from '@feathersjs/authentication'
import type { AuthenticationClient } from '@feathersjs/authentication-client'
import type { Params } from '@feathersjs/feathers'
import { addressOf } from './address.js'
import { convert, requireAnswer } from './answers.js'
import type { Kept } from './core.js'
import { inTime, type Timers } from './ports/clock.js'
import type { SocketLink } from './ports/socket.js'
import { onFailure } from './ports/transport.js'

/** What requests of the authentication service are made with. */
export interface Requester {
  readonly client: AuthenticationClient
  readonly clock: Timers
  /** None over HTTP. */
  readonly link: SocketLink | undefined
  /** Why a refresh failed, while hooks of the app are told so. */
  hooked?: Error | undefined
}

/** Signs in, and a socket too. @throws Unavailable also for an answer that is not the service's, or none in 20 s */
export async function create(
  requester: Requester,
  data: AuthenticationRequest,
  params?: Params,
  onFail?: (error: unknown) => void
): Promise<AuthenticationResult> {
  const { client, link } = requester
  const { cookie, jwtStrategy } = client.options

  // A step-up sets no cookie
  if (cookie && data.strategy !== jwtStrategy && !data.stepUp) {
    if (data.strategy !== 'refresh-token') {
      data = { ...data, cookie }
    }
    if (link) {
      return requireAnswer(await inTime(requester.clock, byFetch(requester, data)))
    }
  }

  const answer = requireAnswer(
    await ask(requester, params, (params) => client.service.create(data, params), onFail)
  )

  if (link) {
    link.token = answer.accessToken
  }

  return answer
}

/** May be repeated until an answer has come. */
export function refresh(requester: Requester, { key, refreshToken }: Kept): Promise<AuthenticationResult> {
  const data = {
    strategy: 'refresh-token',
    [requester.client.options.refreshTokenField!]: refreshToken,
    idempotencyKey: key
  }

  return create(requester, data, undefined, (error) => {
    requester.hooked = convert(error)
  })
}

/**
 * Ends the session of an access token; on a socket, the one that it is signed in with.
 *
 * @param accessToken What the official hooks attach, when left out
 * @param method `_remove` runs no hooks: that of the official client waits for a sign-in in progress
 */
export async function remove(
  requester: Requester,
  accessToken?: string,
  method: 'remove' | '_remove' = 'remove'
): Promise<AuthenticationResult> {
  const { client, clock, link } = requester
  const { cookie, header, scheme } = client.options
  const headers = accessToken ? { [header]: `${scheme} ${accessToken}` } : undefined

  const answer = await (cookie && link
    ? inTime(clock, byFetch(requester, undefined, headers))
    : ask(requester, headers && { headers }, (params) =>
        client.service[method as 'remove'](null as never, params)
      ))

  return accessToken ? requireAnswer(answer) : answer
}

/** Hears of a failure before the hooks of the app do, since these may wait for what comes of it. */
function ask<T>(
  requester: Requester,
  params: Params | undefined,
  send: (params: Params) => Promise<T>,
  onFail?: (error: unknown) => void
): Promise<T> {
  return new Promise((resolve, reject) => {
    const query = {
      ...params?.query,
      [onFailure](error: unknown) {
        onFail?.(error)
        reject(convert(error))
      }
    }

    inTime(requester.clock, send({ ...withCookies(requester, params), query }))
      .finally(() => (requester.hooked = undefined))
      .then(resolve, reject)
  })
}

/** To @feathersjs/rest-client with `fetch`: the cookies of another origin too. */
const withCookies = ({ client }: Requester, params?: Params): Params | undefined =>
  client.options.cookie ? { ...params, connection: { credentials: 'include' } } : params

/** Signs in or, without data, out over HTTP, where the app itself has a socket: that brings no cookies. */
async function byFetch(
  { client }: Requester,
  data?: AuthenticationRequest,
  headers?: Record<string, string>
): Promise<AuthenticationResult> {
  const response = await fetch(addressOf(client), {
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
