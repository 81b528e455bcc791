import type { AuthenticationClientOptions } from '@feathersjs/authentication-client'

/** Sends a call, over HTTP with an access token. */
export type Send<T> = (token?: string) => Promise<T>

type Headers = Record<string, string>
type Request = (options: { headers?: Headers }, params?: { accessToken?: string }) => Promise<unknown>
type Emit = (...args: unknown[]) => Promise<unknown>

/** The narrow waist of the official transports, below all hooks: each call goes through one of these. */
interface Transport {
  connection?: unknown
  /** @feathersjs/rest-client */
  request?: Request
  /** @feathersjs/socketio-client */
  send?: Emit
}

/** Has the calls of a service made by `pass`, which may wait, and may repeat them. */
export function guardTransport(
  service: object,
  pass: <T>(send: Send<T>) => Promise<T>,
  { header, scheme }: AuthenticationClientOptions
): void {
  const transport = service as Transport
  const { request, send } = transport

  if (!transport.connection) {
    return
  }
  if (send) {
    transport.send = (...args) => pass(() => send.apply(service, [...args]))
  }
  if (request) {
    transport.request = (options, params) => {
      const given = options.headers?.[header]
      const isOurs = !given || given === `${scheme} ${params?.accessToken}`

      return isOurs
        ? pass((token) => request.call(service, token ? withToken(options, token) : options, params))
        : request.call(service, options, params)
    }
  }

  function withToken(options: { headers?: Headers }, token: string) {
    return { ...options, headers: { ...options.headers, [header]: `${scheme} ${token}` } }
  }
}
