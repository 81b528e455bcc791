import { randomUUID } from 'node:crypto'
import { noteSecrets } from './log.js'

/** An answer over HTTP, its body parsed. Bodies are what the contract says, so they are not typed here. */
export interface Answer {
  status: number
  headers: Headers
  // eslint-disable-next-line typescript/no-explicit-any -- a test reads what it expects
  body: any
}

export interface Ask {
  /** Sent as JSON; a string goes as it is. */
  body?: unknown
  token?: string
  headers?: Record<string, string>
}

export const password = 'correct horse battery'

/** A plain HTTP client of the service. */
export function restClient(address: string) {
  const ask = async (method: string, path: string, { body, token, headers }: Ask = {}): Promise<Answer> => {
    const response = await fetch(address + path, {
      method,
      headers: {
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        ...headers
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) })
    })
    const text = await response.text()
    const answer = parsed(text)

    noteSecrets(body)
    noteSecrets(answer)

    return { status: response.status, headers: response.headers, body: answer }
  }

  const authenticate = (body: object) => ask('POST', '/authentication', { body })

  return {
    ask,
    authenticate,
    /** Signs a new user up; answers the user. */
    async signUp(user: { email?: string; password?: string; name?: string } = {}) {
      const answer = await ask('POST', '/users', {
        body: { email: `${randomUUID()}@example.com`, password, ...user }
      })

      return answer.body
    },
    signIn: (email: string, more: object = {}) =>
      authenticate({ strategy: 'local', email, password, ...more }),
    refresh: (refreshToken: string, more: object = {}) =>
      authenticate({ strategy: 'refresh-token', refreshToken, ...more }),
    /** A new user, signed in: the body of the answer. */
    async newLogin(more: object = {}) {
      const { email } = await this.signUp()

      return (await this.signIn(email, more)).body
    }
  }
}

export type RestClient = ReturnType<typeof restClient>

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** How often each outcome came up: `{ '201': 1, '401 reused': 1 }`. */
export function tally(answers: Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}

  for (const { status, body } of answers) {
    const outcome = [status, body.data?.reason].filter(Boolean).join(' ')

    counts[outcome] = (counts[outcome] ?? 0) + 1
  }

  return counts
}

/** The same call, many times at once. */
export const atOnce = <T>(times: number, call: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: times }, (_, index) => call(index)))

/** The outcome of one call: `'201'`, `'401 reused'`. */
export const outcome = (answer: Answer): string => Object.keys(tally([answer]))[0]!
