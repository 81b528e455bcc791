import type { AuthenticationRequest, AuthenticationResult } from '@feathersjs/authentication'
import type { AuthenticationClient } from '@feathersjs/authentication-client'
import type { Params } from '@feathersjs/feathers'
import { addressOf } from './address.js'
import { failureOf, requireAnswer } from './answers.js'
import type { Kept } from './core.js'
import { ignored, inTime, type Timers } from './ports/clock.js'
import type { SocketLink } from './ports/socket.js'
import { watcher } from './ports/transport.js'

/** What it takes to call the authentication service. */
export interface Requester {
  readonly client: AuthenticationClient
  readonly clock: Timers
  /** Undefined over HTTP. */
  readonly link: SocketLink | undefined
  /** Why a refresh failed, while the app's error hooks run. */
  hooked?: Error | undefined
  /** The access token of an answer, while the app's after hooks run: their calls would wait for each other otherwise. */
  accepted?: string | undefined
  /** Gets the answer to a refresh, without its refresh token, before the hooks do. */
  onResumed?: (result: AuthenticationResult) => void
}

/**
 * Signs in, including the socket.
 *
 * @param onAccepted Gets the answer, without its refresh token, before the app's hooks do. The caller then clears
 *   `accepted`
 * @throws Unavailable for an answer of something else, or none within 20 s
 */
export async function create(
  requester: Requester,
  data: AuthenticationRequest,
  params?: Params,
  onFailure?: (error: unknown) => void,
  onAccepted?: Requester['onResumed']
): Promise<AuthenticationResult> {
  const { client, link } = requester
  const { cookie, jwtStrategy, refreshTokenField } = client.options
  const read = (answer: AuthenticationResult) =>
    requireAnswer(answer, data.strategy === 'refresh-token' ? refreshTokenField : undefined, cookie)

  // A step-up sets no cookie
  if (cookie && data.strategy !== jwtStrategy && !data.stepUp) {
    if (data.strategy !== 'refresh-token') {
      data = { ...data, cookie }
    }
    if (link) {
      return read(await inTime(requester.clock, byFetch(requester, data)))
    }
  }

  const onAnswer = (answer: AuthenticationResult) => {
    const { [refreshTokenField!]: _, ...result } = read(answer)

    requester.accepted = result.accessToken

    if (link) {
      link.token = result.accessToken
    }

    ;(onAccepted ?? requester.onResumed)?.(result)
  }

  try {
    return read(
      await ask(requester, params, (params) => client.service.create(data, params), onFailure, onAnswer)
    )
  } finally {
    if (!onAccepted) {
      requester.accepted = undefined
    }
  }
}

/** Refreshes. May be repeated until an answer arrives. */
export function refresh(requester: Requester, { key, refreshToken }: Kept): Promise<AuthenticationResult> {
  const data = {
    strategy: 'refresh-token',
    [requester.client.options.refreshTokenField!]: refreshToken,
    idempotencyKey: key
  }

  return create(requester, data, undefined, (error) => {
    requester.hooked = failureOf(error)
  })
}

/**
 * Ends the session of an access token; on a socket, the one that it is signed in with.
 *
 * @param accessToken By default, the one that the official hooks attach
 * @param method `_remove` skips the hooks, since the official client's waits for a sign-in in progress
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

/** Calls the service. Rejects before the app's error hooks run, since they may wait for the outcome of this call. */
function ask<T>(
  requester: Requester,
  params: Params | undefined,
  send: (params: Params) => Promise<T>,
  onFailure: (error: unknown) => void = ignored,
  onAnswer?: (answer: T) => void
): Promise<T> {
  return new Promise((resolve, reject) => {
    const query = {
      ...params?.query,
      [watcher]: {
        onAnswer,
        onFailure(error: unknown) {
          onFailure(error)
          reject(failureOf(error))
        }
      }
    }

    inTime(requester.clock, send({ ...withCookies(requester, params), query }))
      .finally(() => (requester.hooked = undefined))
      .then(resolve, (error) => reject(error || failureOf(error)))
  })
}

/** Makes @feathersjs/rest-client with `fetch` send cookies to another origin. */
const withCookies = ({ client }: Requester, params?: Params): Params | undefined =>
  client.options.cookie ? { ...params, connection: { credentials: 'include' } } : params

/** Signs in or, without data, out over HTTP although the app uses a socket, which can't set cookies. */
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
    throw Object.assign(failureOf(answer), { response })
  }

  return answer as AuthenticationResult
}
