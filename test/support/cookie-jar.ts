import { parseSetCookie, type SetCookie } from 'cookie'

/** The cookies of a browser, by the rules of RFC 6265: sections 5.1.3 and 5.1.4 say what a request brings. */
export class CookieJar {
  readonly cookies = new Map<string, SetCookie>()
  readonly #host: string

  constructor(host: string) {
    this.#host = host
  }

  /** The header `Cookie` of a request to a path. */
  header(path: string): string {
    return [...this.cookies.values()]
      .filter((cookie) => pathMatches(path, cookie.path!))
      .toSorted((a, b) => b.path!.length - a.path!.length)
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ')
  }

  /** Keeps what an answer sets, and forgets what it clears. */
  take({ headers }: { headers: Headers }): void {
    for (const cookie of headers.getSetCookie().map((line) => parseSetCookie(line))) {
      const { name, domain, path, maxAge } = cookie
      const key = [name, domain ?? '', path].join(' ')

      if (domain && this.#host !== domain && !this.#host.endsWith(`.${domain}`)) {
        continue // section 5.3, 6
      }
      if (maxAge === 0) {
        this.cookies.delete(key)
      } else {
        this.cookies.set(key, cookie)
      }
    }
  }
}

const pathMatches = (path: string, prefix: string): boolean =>
  path === prefix || (path.startsWith(prefix) && (prefix.endsWith('/') || path[prefix.length] === '/'))
