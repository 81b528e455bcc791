import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ConfigurationError } from '../refresh-token/index.js'
import type { MetricsSettings } from './settings.js'

/** Prometheus' text format. */
export const contentType = 'text/plain; version=0.0.4; charset=utf-8'
export const path = '/metrics'

export interface MetricsServer {
  /** Says where it listens. Not as a URL, so that it isn't mistaken for the address of the service. */
  sentence: string
  close(): Promise<void>
}

/**
 * Serves metrics on a port of their own.
 *
 * @throws ConfigurationError when it can't listen there
 */
export async function serveMetrics(
  { port = 0, host = 'localhost', token }: Exclude<MetricsSettings, false>,
  scrape: () => Promise<string>
): Promise<MetricsServer> {
  const server = createServer((request, response) => void answer(request, response, token, scrape))

  await new Promise<void>((resolve, reject) => {
    server.once('error', ({ code }: NodeJS.ErrnoException) =>
      reject(
        new ConfigurationError(
          `metrics.port ${port} of "${host}" can not be listened on (${code}): write another port or host`
        )
      )
    )
    server.listen({ port, host, exclusive: true }, resolve)
  })

  return {
    sentence: `Metrics are served at ${path} of port ${(server.address() as AddressInfo).port} of ${host}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

async function answer(
  { method, url, headers }: IncomingMessage,
  response: ServerResponse,
  token: string | undefined,
  scrape: () => Promise<string>
): Promise<void> {
  const end = (status: number, body: string, more = {}) =>
    response.writeHead(status, { 'Content-Type': contentType, ...more }).end(method === 'HEAD' ? '' : body)

  if (url?.split('?')[0] !== path) {
    end(404, `There is only ${path} here\n`)
  } else if (method !== 'GET' && method !== 'HEAD') {
    end(405, '', { Allow: 'GET, HEAD' })
  } else if (!hasToken(headers.authorization, token)) {
    end(401, 'Reading the metrics requires their token\n', { 'WWW-Authenticate': 'Bearer' })
  } else {
    await scrape().then(
      (text) => end(200, text),
      (error: Error) => end(503, `${error.message}\n`)
    )
  }
}

/** Whether a request may read the metrics; always, if no token is configured. */
export function hasToken(header: string | undefined, token: string | undefined): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest()

  return token === undefined || timingSafeEqual(hash(header ?? ''), hash(`Bearer ${token}`))
}
