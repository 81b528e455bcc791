import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { outcome, restClient, type Answer, type RestClient } from '../support/rest.js'

const second = 1000 // ms
const day = 24 * 60 * 60 * second
const [leeway, accessLife, idleLife, absoluteLife] = [30 * second, 900 * second, 30 * day, 180 * day]
const runs = 50

/** A refresh token in the hands of whoever, and those that were handed out for it. */
interface RefreshToken {
  text: string
  expiry: number
  predecessor?: RefreshToken
  successors: RefreshToken[]
  firstUse?: number
  keys: string[]
}

interface AccessToken {
  text: string
  expiry: number
}

/** What a client may know of a session: only of what it was answered. */
interface Session {
  id: string
  device: string | undefined
  opened: number
  expiry: number
  ended: boolean
  refreshTokens: RefreshToken[]
  accessTokens: AccessToken[]
}

const inSeconds = (ms: number) => Math.floor(ms / second) * second
const isUsed = ({ firstUse }: RefreshToken) => firstUse !== undefined

class Model {
  readonly sessions: Session[] = []

  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  isLive = ({ ended, expiry }: Session) => !ended && expiry > this.#now()

  signedIn(body: Answer['body'], device: string | undefined): void {
    const opened = this.#now()
    const expiry = inSeconds(opened + idleLife)
    const session: Session = {
      id: body.session.id,
      device,
      opened,
      expiry,
      ended: false,
      refreshTokens: [{ text: body.refreshToken, expiry, successors: [], keys: [] }],
      accessTokens: []
    }

    for (const other of this.sessions) {
      other.ended ||= device !== undefined && other.device === device
    }

    this.sessions.push(session)
    this.#answered(session, body)
  }

  /** What the contract's rules of rotation say of a presentation. */
  dueOfRefresh(session: Session, token: RefreshToken, key: string | undefined): string {
    if (inSeconds(this.#now()) >= token.expiry || session.opened + absoluteLife <= this.#now()) {
      return '401 expired'
    }
    if (session.ended) {
      return '401 revoked'
    }
    if (token.successors.some(isUsed) || (!isUsed(token) && token.predecessor?.successors.some(isUsed))) {
      return '401 reused'
    }

    const repeats = key !== undefined && token.keys.slice(-4).includes(key)

    return !isUsed(token) || this.#now() - token.firstUse! < leeway || repeats ? '201' : '401 reused'
  }

  refreshed(session: Session, token: RefreshToken, key: string | undefined, body: Answer['body']): void {
    if (!isUsed(token)) {
      token.firstUse = this.#now()
      session.expiry = inSeconds(Math.min(this.#now() + idleLife, session.opened + absoluteLife))
    }
    if (key !== undefined && !token.keys.slice(-4).includes(key)) {
      token.keys.push(key)
    }

    const successor = {
      text: body.refreshToken,
      expiry: session.expiry,
      predecessor: token,
      successors: [],
      keys: []
    }

    token.successors.push(successor)
    session.refreshTokens.push(successor)
    this.#answered(session, body)
  }

  dueOfCall(session: Session, token: AccessToken): string {
    return inSeconds(this.#now()) >= token.expiry ? '401 expired' : session.ended ? '401 revoked' : '200'
  }

  #answered(session: Session, { accessToken }: { accessToken: string }): void {
    const expiry = Math.min(inSeconds(this.#now()) + accessLife, session.expiry)

    session.accessTokens.push({ text: accessToken, expiry })
  }
}

const nth = fc.nat({ max: 5 })
const steps = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('login' as const), device: fc.constantFrom('a', undefined) })
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('refresh' as const),
      session: nth,
      token: nth,
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', undefined)
    })
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('call' as const), session: nth, token: nth }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('logout' as const), session: nth, token: nth }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      time: fc.constantFrom(1, leeway - 1, leeway, accessLife, day, 29 * day, idleLife)
    })
  }
)

type Step = typeof steps extends fc.Arbitrary<infer S> ? S : never

/** The n-th from the end, or the first. */
const recent = <T>(list: T[], n: number): T => list[Math.max(0, list.length - 1 - n)]!

describe('logins, refreshes, repeats, thefts, logouts and expiries in any order', () => {
  let t: TestApp
  let client: RestClient
  let stepsMade = 0

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
  })

  after(() => t.stop())

  async function make(step: Step, model: Model, email: string) {
    stepsMade++

    if (step.do === 'wait') {
      t.clock.advance(step.time)
      return
    }
    if (step.do === 'login' || model.sessions.length === 0) {
      const device = step.do === 'login' ? step.device : undefined
      const answer = await client.signIn(email, device ? { device: { id: device } } : {})

      assert.equal(answer.status, 201)
      model.signedIn(answer.body, device)
      return
    }

    const session = recent(model.sessions, step.session)

    if (step.do === 'refresh') {
      const token = recent(session.refreshTokens, step.token)
      const due = model.dueOfRefresh(session, token, step.key)
      const answer = await client.refresh(
        token.text,
        step.key === undefined ? {} : { idempotencyKey: step.key }
      )

      assert.equal(outcome(answer), due)
      session.ended ||= due === '401 reused'

      if (due === '201') {
        model.refreshed(session, token, step.key, answer.body)
      }
      return
    }

    const { text } = recent(session.accessTokens, step.token)
    const due = model.dueOfCall(session, recent(session.accessTokens, step.token))
    const [method, path] = step.do === 'call' ? ['GET', '/sessions'] : ['DELETE', '/authentication']
    const answer = await client.ask(method, path, { token: text })

    assert.equal(outcome(answer), due)

    if (due === '200' && step.do === 'call') {
      const listed = answer.body.map(({ id }: { id: string }) => id).sort()

      assert.deepEqual(
        listed,
        model.sessions
          .filter(model.isLive)
          .map(({ id }) => id)
          .sort()
      )
    }
    if (due === '200' && step.do === 'logout') {
      session.ended = true
    }
  }

  it('are answered as the contract says', async (test) => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 5, maxLength: 40, size: 'max' }), async (all) => {
        const { email } = await client.signUp()
        const model = new Model(() => t.clock.now)

        for (const step of all) {
          await make(step, model, email)
        }
      }),
      { numRuns: runs }
    )
    test.diagnostic(`${runs} interleavings of ${stepsMade} steps in all`)
  })
})
