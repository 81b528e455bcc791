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

/**
 * Has the calls of a service made by `pass`, which may wait, and may repeat them.
 *
 * @param pass With `isSafe`: on a socket, the call changes nothing (RFC 9110 §9.2.1)
 */
export function guardTransport(
  service: object,
  pass: <T>(send: Send<T>, isSafe?: boolean) => Promise<T>,
  { header, scheme }: AuthenticationClientOptions
): void {
  const transport = service as Transport
  const { request, send } = transport

  if (!transport.connection) {
    return
  }

  if (send) {
    transport.send = (...args) =>
      pass(() => send.apply(service, [...args]), /^(find|get)$/.test(args[0] as string))
  }
  if (request) {
    transport.request = (options, params) => {
      const given = options.headers?.[header]
      const isOurs = !given || given === `${scheme} ${params?.accessToken}`

      return isOurs
        ? pass((token) =>
            request.call(
              service,
              token
                ? { ...options, headers: { ...options.headers, [header]: `${scheme} ${token}` } }
                : options,
              params
            )
          )
        : request.call(service, options, params)
    }
  }
}
