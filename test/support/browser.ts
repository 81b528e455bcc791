import { parseSetCookie, stringifyCookie, type SetCookie } from 'cookie'
import { password, restClient, type Answer, type Ask } from './rest.js'

/** A page's fetch, as far as cookies go: it keeps what it is told to keep, and sends it where it belongs. */
export interface Browser {
  /** What it keeps, by name. */
  cookies: Map<string, SetCookie>
  ask(method: string, path: string, more?: Ask): Promise<Answer>
  signIn(email: string, more?: object): Promise<Answer>
  refresh(more?: object): Promise<Answer>
  signOut(accessToken: string): Promise<Answer>
}

/** @param origin Of the page: that of the service, unless it says otherwise */
export function browser(address: string, origin = address): Browser {
  const client = restClient(address)
  const cookies = new Map<string, SetCookie>()
  const site = origin === address ? 'same-origin' : 'cross-site'

  const ask = async (method: string, path: string, { headers, ...more }: Ask = {}) => {
    const sent = [...cookies.values()].filter((cookie) => belongs(cookie, path))
    const answer = await client.ask(method, path, {
      ...more,
      headers: {
        Origin: origin,
        'Sec-Fetch-Site': site,
        ...(sent.length > 0 && { Cookie: inHeader(...sent) }),
        ...headers
      }
    })

    for (const cookie of cookiesOf(answer)) {
      if (cookie.maxAge === 0) {
        cookies.delete(cookie.name)
      } else {
        cookies.set(cookie.name, cookie)
      }
    }

    return answer
  }
  const authenticate = (body: object) => ask('POST', '/authentication', { body })

  return {
    cookies,
    ask,
    signIn: (email, more = {}) => authenticate({ strategy: 'local', email, password, cookie: true, ...more }),
    refresh: (more = {}) => authenticate({ strategy: 'refresh-token', ...more }),
    signOut: (token) => ask('DELETE', '/authentication', { token })
  }
}

/** What an answer tells browsers to keep. */
export const cookiesOf = ({ headers }: Answer): SetCookie[] =>
  headers.getSetCookie().map((line) => parseSetCookie(line))

/** As a request sends them. */
export const inHeader = (...cookies: SetCookie[]): string =>
  stringifyCookie(Object.fromEntries(cookies.map(({ name, value }) => [name, value])))

function belongs({ path = '/' }: SetCookie, asked: string): boolean {
  return asked === path || asked.startsWith(path.endsWith('/') ? path : `${path}/`)
}
