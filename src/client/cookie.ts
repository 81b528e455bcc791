import type { AuthenticationRequest, AuthenticationResult } from '@feathersjs/authentication'
import type { AuthenticationClientOptions } from '@feathersjs/authentication-client'
import { convert } from '@feathersjs/errors'
import type { Params } from '@feathersjs/feathers'

/** To @feathersjs/rest-client with `fetch`: the cookies of another origin too. */
export const withCookies = (params?: Params): Params => ({
  ...params,
  connection: { credentials: 'include' }
})

/** Signs in or, without data, out over HTTP, where the app itself has a socket: that brings no cookies. */
export async function authenticateByCookie(
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
