import { authenticate } from '@feathersjs/authentication'
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Application } from '../../src/declarations.js'
import { requireRecent } from '../../src/refresh-token/index.js'
import { startApp, type TestApp } from '../support/app.js'
import { authenticator, factorClient, withFactors, type Authenticator } from '../support/factors.js'
import { outcome, password } from '../support/rest.js'

const second = 1000 // ms
const minute = 60 * second
const [accessLife, challengeLife, within, period] = [15 * minute, 5 * minute, 5 * minute, 30 * second]
const runs = 40

/** What a client may know of a session, and of the newest of its access tokens. */
interface Session {
  id: string
  ended: boolean
  refreshToken: string
  accessToken: string
  expiry: number
  /** When credentials were given: as the session has it, and as the token says. */
  given: { at: number; factor: boolean }
  told: { at: number; factor: boolean }
}

interface Challenge {
  text: string
  at: number
  version: number
  tries: number
  used: boolean
}

/** Somebody's account. */
class Model {
  readonly sessions: Session[] = []
  readonly challenges: Challenge[] = []
  app: Authenticator | undefined
  usedStep = 0
  recoveryCodes: string[] = []
  spentCodes: string[] = []
  /** Another one after each change of the password or the factors. */
  version = 0

  endAll(except?: Session): void {
    this.sessions.forEach((session) => (session.ended ||= session !== except))
    this.version++
  }
}

const inSeconds = (ms: number) => Math.floor(ms / second) * second
const nth = fc.nat({ max: 4 })
const given = fc.constantFrom('code' as const, 'recovery' as const, 'spent' as const, 'wrong' as const)
const steps = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('sign-in' as const) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('answer' as const), challenge: nth, given }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('step-up' as const),
      session: nth,
      given: fc.oneof(given, fc.constant('password' as const))
    })
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('call' as const), session: nth }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('refresh' as const), session: nth }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('enrol' as const), session: nth }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('clear' as const, 'new password' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      time: fc.constantFrom(second, period, minute, challengeLife, accessLife)
    })
  }
)

type Step = typeof steps extends fc.Arbitrary<infer S> ? S : never

/** The n-th from the end, or the first. */
const recent = <T>(list: T[], n: number): T | undefined => list[Math.max(0, list.length - 1 - n)]

function configure(app: Application) {
  const services = app as never as {
    use(path: string, service: object): void
    service(path: string): { hooks(hooks: object): void }
  }

  services.use('vault', { find: async () => [] })
  services.service('vault').hooks({
    around: { find: [authenticate('jwt'), requireRecent({ within: within / second })] }
  })
}

describe('sign-ins, factors, step-ups, refreshes and changes of the account in any order', () => {
  let t: TestApp
  let on: ReturnType<typeof factorClient>
  let stepsMade = 0

  before(async () => {
    t = await startApp({ settings: withFactors(), configure })
    on = factorClient(t.address)
  })
  after(() => t.stop())

  const now = () => t.clock.now

  async function make(step: Step, model: Model, { email, id }: { email: string; id: string }) {
    stepsMade++

    if (step.do === 'wait') {
      t.clock.advance(step.time)
    } else if (step.do === 'sign-in') {
      await signIn(model, email)
    } else if (step.do === 'answer') {
      await answer(model, recent(model.challenges, step.challenge), step.given)
    } else if (step.do === 'clear') {
      await t.app.get('factors')!.clear(id)
      model.app = undefined
      model.recoveryCodes = model.spentCodes = []
      model.endAll()
    } else if (step.do === 'new password') {
      // The same again: what counts is that it was set
      await t.app.service('users').patch(id, { password })
      model.endAll()
    } else if ('session' in step) {
      const session = recent(model.sessions, step.session)

      if (session && step.do === 'step-up') {
        await stepUp(model, session, email, step.given)
      } else if (session && step.do === 'call') {
        assert.equal(
          outcome(await on.client.ask('GET', '/vault', { token: session.accessToken })),
          dueOfCall(model, session)
        )
      } else if (session && step.do === 'refresh') {
        await refresh(session)
      } else if (session && !session.ended && !model.app) {
        await enrol(model, session, id)
      }
    }
  }

  function opened(model: Model, body: any, factor: boolean): void {
    const told = { at: inSeconds(now()), factor }

    model.sessions.push({
      id: body.session.id,
      ended: false,
      refreshToken: body.refreshToken,
      accessToken: body.accessToken,
      expiry: inSeconds(now()) + accessLife,
      given: told,
      told
    })
  }

  async function signIn(model: Model, email: string): Promise<void> {
    const answer = await on.client.signIn(email)

    assert.equal(outcome(answer), model.app ? '401 factor' : '201')

    if (model.app) {
      const { challenge: text } = answer.body.data

      model.challenges.push({ text, at: now(), version: model.version, tries: 0, used: false })
    } else {
      opened(model, answer.body, false)
    }
  }

  /** A code, and whether it is good; using it up if so. */
  function take(model: Model, kind: Exclude<(Step & { do: 'step-up' })['given'], 'password'>) {
    const step = Math.floor(now() / period)

    if (kind === 'code' && model.app) {
      return {
        strategy: 'totp',
        code: model.app.code(),
        isGood: step > model.usedStep,
        use: () => (model.usedStep = step)
      }
    }
    if (kind === 'recovery' && model.recoveryCodes.length > 0) {
      const [code] = model.recoveryCodes as [string]

      return {
        strategy: 'recovery-code',
        code,
        isGood: true,
        use: () => void model.spentCodes.push(model.recoveryCodes.shift()!)
      }
    }

    return {
      strategy: 'recovery-code',
      code: (kind === 'spent' && model.spentCodes.at(-1)) || 'wrong',
      isGood: false,
      use: () => {}
    }
  }

  async function answer(
    model: Model,
    challenge: Challenge | undefined,
    kind: (Step & { do: 'answer' })['given']
  ): Promise<void> {
    if (!challenge) {
      return
    }

    const { strategy, code, isGood, use } = take(model, kind)
    const isOpen =
      inSeconds(now()) < inSeconds(challenge.at) + challengeLife &&
      challenge.version === model.version &&
      !challenge.used &&
      challenge.tries < 10
    const { body, ...rest } = await on.client.authenticate({ strategy, challenge: challenge.text, code })

    assert.equal(outcome({ body, ...rest }), !isOpen ? '401 expired' : isGood ? '201' : '401 invalid')

    if (isOpen) {
      challenge.tries++
    }
    if (isOpen && isGood) {
      challenge.used = true
      use()
      opened(model, body, true)
    }
  }

  const lifeOf = (session: Session) =>
    inSeconds(now()) >= session.expiry ? '401 expired' : session.ended ? '401 revoked' : undefined

  function dueOfCall(model: Model, session: Session): string {
    const isRecent = now() - session.told.at <= within

    return lifeOf(session) ?? (isRecent && (!model.app || session.told.factor) ? '200' : '401 step-up')
  }

  async function stepUp(
    model: Model,
    session: Session,
    email: string,
    kind: (Step & { do: 'step-up' })['given']
  ): Promise<void> {
    const credentials =
      kind === 'password'
        ? { strategy: 'local', email, password, isGood: true, use: () => {} }
        : take(model, kind)
    const { isGood, use, ...request } = credentials
    const isShort = kind === 'password' && model.app !== undefined
    const due = lifeOf(session) ?? (isShort ? '401 step-up' : isGood ? '201' : '401 invalid')
    const answer = await on.stepUp(session.accessToken, request)

    assert.equal(outcome(answer), due)

    if (due === '201') {
      use()
      session.given = session.told = { at: inSeconds(now()), factor: kind !== 'password' }
      session.accessToken = answer.body.accessToken
      session.expiry = inSeconds(now()) + accessLife
      assert.equal(answer.body.session.id, session.id)
    }
  }

  async function refresh(session: Session): Promise<void> {
    const answer = await on.client.refresh(session.refreshToken)

    assert.equal(outcome(answer), session.ended ? '401 revoked' : '201')

    if (!session.ended) {
      session.refreshToken = answer.body.refreshToken
      session.accessToken = answer.body.accessToken
      session.expiry = inSeconds(now()) + accessLife
      session.told = session.given
      assert.equal(answer.body.authentication.payload.auth_time * second, session.given.at)
    }
  }

  async function enrol(model: Model, session: Session, userId: string): Promise<void> {
    const factors = t.app.get('factors')!
    const caller = { userId, sessionId: session.id, params: {} }
    const { id, secret } = await factors.begin(caller)

    model.app = authenticator(t, secret)
    model.usedStep = Math.floor(now() / period)
    // The next access token tells of it
    session.given = { at: inSeconds(now()), factor: true }
    model.recoveryCodes = (await factors.confirm(caller, id, model.app.code())).recoveryCodes!
    model.endAll(session)
  }

  it('are answered as the contract says', async (test) => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 10, maxLength: 40, size: 'max' }), async (all) => {
        const { _id: id, email } = await on.client.signUp()
        const model = new Model()

        for (const step of all) {
          await make(step, model, { email, id })
        }

        const { sessions } = (await t.db.collection('users').findOne({ email }))!

        assert.deepEqual(
          sessions.map((session: Session) => session.id).toSorted(),
          model.sessions.flatMap(({ id, ended }) => (ended ? [] : id)).toSorted()
        )
      }),
      { numRuns: runs }
    )
    test.diagnostic(`${runs} interleavings of ${stepsMade} steps in all`)
  })
})
