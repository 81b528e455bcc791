import type { AuthenticationClient } from '@feathersjs/authentication-client'
import { platform } from './ports/platform.js'

const slashes = /^\/|\/$/g

/**
 * The URL of the authentication service over HTTP: the option `url`, or else derived from the transport. A socket to
 * `https://example.com` with the path `/api/socket.io` gives `https://example.com/api/authentication`.
 */
export function addressOf({ app, options }: AuthenticationClient): string {
  const { uri, opts } = app.io?.io ?? {}
  const name = options.path.replace(slashes, '')
  const prefix = String(opts?.path).replace(/\/[^/]*\/?$/, '')
  const base = uri ?? platform.location?.href

  return new URL(
    options.url ?? (uri ? `${prefix}/${name}` : (app.defaultService(name) as { base?: string }).base!),
    base
  ).href
}

/**
 * What to add to the names of items in the storage: in one that all apps of the origin share, a service elsewhere has
 * items of its own.
 */
export function suffixOf(client: AuthenticationClient): string {
  try {
    const { localStorage, location } = platform
    const { storage } = client.storage as { storage?: { storage?: unknown } }
    const address = addressOf(client)

    if (
      [storage, storage?.storage].includes(localStorage) &&
      address !== new URL('/authentication', location!.href).href
    ) {
      return ` ${address}`
    }
  } catch {
    // No page, or no storage
  }

  return ''
}
