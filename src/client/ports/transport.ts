import type { AuthenticationClientOptions } from '@feathersjs/authentication-client'

/** Sends a call, over HTTP with an access token. */
export type Send<T> = (token?: string) => Promise<T>

/** Has a call made by the client, which may wait, and may repeat it. @param isSafe It changes nothing (RFC 9110 §9.2.1) */
export type Pass = <T>(send: Send<T>, isSafe?: boolean) => Promise<T>

/** In the query of a call: who hears of its failure before the hooks of the app do. Neither transport sends symbols. */
export const onFailure = Symbol('onFailure')

interface Query {
  [onFailure]?: (error: unknown) => void
}

type Headers = Record<string, string>
type Request = (
  options: { headers?: Headers },
  params?: { accessToken?: string; query?: Query }
) => Promise<unknown>
type Emit = (...args: unknown[]) => Promise<unknown>

/** The narrow waist of the official transports, below all hooks: each call goes through one of these. */
interface Transport {
  connection?: unknown
  /** @feathersjs/rest-client */
  request?: Request
  /** @feathersjs/socketio-client */
  send?: Emit
}

/** Has the calls of a service made by `pass`. */
export function guardTransport(
  service: object,
  pass: Pass,
  { header, scheme }: AuthenticationClientOptions
): void {
  const transport = service as Transport
  const { request, send } = transport

  if (!transport.connection) {
    return
  }

  if (send) {
    transport.send = (...args) =>
      watched(
        pass(() => send.apply(service, [...args]), /^(find|get)$/.test(args[0] as string)),
        args[2] as Query | null
      )
  }
  if (request) {
    transport.request = (options, params) => {
      const given = options.headers?.[header]
      const isOurs = !given || given === `${scheme} ${params?.accessToken}`

      return isOurs
        ? watched(
            pass((token) =>
              request.call(
                service,
                token
                  ? { ...options, headers: { ...options.headers, [header]: `${scheme} ${token}` } }
                  : options,
                params
              )
            ),
            params?.query
          )
        : request.call(service, options, params)
    }
  }
}

/** Tells of a failure at once. */
function watched<T>(call: Promise<T>, query?: Query | null): Promise<T> {
  call.catch((error) => query?.[onFailure]?.(error))
  return call
}
