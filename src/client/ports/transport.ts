import type { AuthenticationClientOptions } from '@feathersjs/authentication-client'
import { ignored } from './clock.js'

/** Sends a call; over HTTP, with an access token. */
export type Send<T> = (token?: string) => Promise<T>

/** Lets the client make a call, delay it or repeat it. @param isSafe Whether it changes nothing (RFC 9110 §9.2.1) */
export type Pass = <T>(send: Send<T>, isSafe?: boolean) => Promise<T>

/** In the query of a call: gets its outcome before the app's hooks do. Transports don't send symbols. */
export const watcher = Symbol('watcher')

interface Query {
  [watcher]?: { onAnswer?: (answer: unknown) => void; onFailure: (error: unknown) => void }
}

type Headers = Record<string, string>
type Request = (
  options: { headers?: Headers },
  params?: { accessToken?: string; query?: Query }
) => Promise<unknown>
type Emit = (...args: unknown[]) => Promise<unknown>

/** The official transports' lowest methods, below all hooks: each call goes through one of them. */
interface Transport {
  connection?: unknown
  /** @feathersjs/rest-client */
  request?: Request
  /** @feathersjs/socketio-client */
  send?: Emit
}

/** Sends all calls of a service through `pass`. */
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

/** Reports the outcome to the watcher in the query. */
function watched<T>(call: Promise<T>, query?: Query | null): Promise<T> {
  const { onAnswer, onFailure } = query?.[watcher] ?? {}

  call.then(onAnswer, onFailure).catch(ignored)
  return call
}
