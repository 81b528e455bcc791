import type { AuthenticationResult } from '@feathersjs/authentication'
import {
  initialState,
  step,
  type Effect,
  type Event,
  type Kept,
  type News,
  type State
} from '../../src/client/core.js'

// A world for the core of the client: tabs of a browser, their storage and their channel, and a service. Whatever takes
// time there is an operation here, which ends when it is told to, in any order and in any way.

const leeway = 30_000 // ms
const life = 15 * 60_000 // ms of an access token

interface Session {
  id: string
  user: string
  remembered: string
  usedAt: number
  keys: Set<string>
  end?: 'logout' | 'reused'
}

/** The rules of docs/sessions.md. */
export class ModelService {
  readonly sessions = new Map<string, Session>()
  asked = 0
  #count = 0

  open(user: string): { token: string; answer: AuthenticationResult } {
    const id = `s${++this.#count}`
    const session = { id, user, remembered: `root-${id}`, usedAt: 0, keys: new Set<string>() }

    this.sessions.set(id, session)
    return { token: this.#mint(session), answer: this.#answer(session) }
  }

  use(token: string | undefined, key: string, now: number) {
    this.asked++

    if (!token) {
      return { refusal: null }
    }

    const [id, jti, prev] = token.split('/') as [string, string, string]
    const session = this.sessions.get(id)!

    if (session.end) {
      return { refusal: 'revoked' as const }
    }
    if (prev === session.remembered) {
      session.remembered = jti
      session.usedAt = now
    } else if (jti !== session.remembered || (now - session.usedAt > leeway && !session.keys.has(key))) {
      session.end = 'reused'
      return { refusal: 'reused' as const }
    }

    session.keys.add(key)
    return { token: this.#mint(session), answer: this.#answer(session) }
  }

  end(id: string): void {
    this.sessions.get(id)!.end ??= 'logout'
  }

  #mint({ id, remembered }: Session): string {
    return `${id}/t${++this.#count}/${remembered}`
  }

  #answer({ id, user }: Session): AuthenticationResult {
    return { accessToken: `${id}/a${++this.#count}`, user, session: { id } }
  }
}

type Fault = 'none' | 'full' | 'read-only' | 'denied'
type Outcome = 'ok' | 'lost' | 'unheard' | 'false'

interface Operation {
  what: string
  finish(outcome: Outcome): void
}

/** What a browser has for all its tabs. */
export class World {
  now = 0
  readonly service = new ModelService()
  readonly tabs: Tab[] = []
  /** Of the users' doing: sign-outs, by session. */
  readonly signedOut = new Set<string>()
  signOuts = 0
  stored: string | undefined
  /** A sign-out that the service was not told of. */
  left: Kept | undefined
  cookieJar: string | undefined
  fault: Fault = 'none'
  hasChannel = true
  /** Whether tabs have lost what they shared: the user, a script or a full storage has removed it. */
  wasCleared = false
  holder: Tab | undefined
  keys = 0

  readonly cookie: boolean

  constructor(cookie: boolean) {
    this.cookie = cookie
  }

  open(): Tab {
    const tab = new Tab(this)

    this.tabs.push(tab)
    return tab
  }

  close(tab: Tab): void {
    tab.isClosed = true
    this.tabs.splice(this.tabs.indexOf(tab), 1)

    if (this.holder === tab) {
      this.holder = undefined
    }
  }

  /** Those that can end now: one tab at a time refreshes. */
  get operations(): Operation[] {
    return this.tabs.flatMap(({ operations }) =>
      operations.filter(({ what }) => what !== 'queue' || !this.holder)
    )
  }

  /** Lets everything end well. */
  settle(): void {
    for (let rounds = 0; this.operations.length; rounds++) {
      if (rounds > 500) {
        throw new Error(`No end: ${this.operations.map(({ what }) => what).join(', ')}`)
      }

      this.operations[0]!.finish('ok')
    }
  }
}

export class Tab {
  state: State
  isClosed = false
  readonly operations: Operation[] = []
  readonly heard: [name: string, data: unknown][] = []
  waiting = 0
  /** Whether a sign-in or a sign-out is in progress. */
  isBusy = false
  /** What a listener of the app does. */
  onEmit: (name: string) => void = () => {}
  #memory: Kept | undefined
  #isAhead = false
  #hasFailed = false
  #known: Kept | null | undefined = null
  readonly #world: World

  constructor(world: World) {
    this.#world = world
    this.state = initialState(world.cookie, true)
  }

  dispatch(event: Event, then = () => {}): void {
    const world = this.#world
    const [state, effects] = step(this.state, event, world.now, (world.keys % 10) / 10, `k${++world.keys}`)

    this.state = state
    this.#perform(effects, then)
  }

  need(isAsked = false): void {
    this.waiting++
    this.dispatch(['need', isAsked])
  }

  /** As `reAuthenticate`. */
  start(): void {
    const stored = this.#read()

    if (stored && !this.state.kept) {
      this.dispatch(['found', stored])
    }
    if (stored || this.#world.cookie) {
      this.need(true)
    }
  }

  signIn(user: string): void {
    if (this.isBusy) {
      return
    }

    const world = this.#world

    this.isBusy = true
    this.#later(`sign in ${user}`, (outcome) => {
      this.isBusy = false

      if (outcome === 'ok') {
        const { token, answer } = world.service.open(user)

        world.left = undefined

        if (world.cookie) {
          // What the service was not told of the cookie before, it will never be
          world.service.sessions.forEach(({ id, end }) => end ?? world.signedOut.delete(id))
          world.cookieJar = token
        }

        this.dispatch(['signedIn', answer, world.cookie ? undefined : token, life])
      }
    })
  }

  signOut(): void {
    const { result } = this.state
    const world = this.#world

    if (this.isBusy || !result || !this.state.kept) {
      return
    }

    this.isBusy = true
    this.#later('sign out', (outcome) => {
      const id = this.state.result?.session.id

      this.isBusy = false

      if (!id) {
        return
      }
      if (outcome === 'ok' || outcome === 'unheard') {
        world.service.end(id)
        world.cookieJar = undefined
      }
      if (outcome !== 'ok') {
        world.left = this.#read() ?? this.state.kept
      }

      world.signedOut.add(id)
      world.signOuts++
      this.dispatch(['ended', null])
    })
  }

  /** Tells the service of a sign-out that it was not told of. */
  leave(): void {
    const world = this.#world
    const { left } = world

    if (left && !this.isBusy) {
      this.isBusy = true
      this.#later('leave', (outcome) => {
        const token = world.cookie ? world.cookieJar : left.refreshToken

        this.isBusy = false

        if (outcome === 'ok' && world.left === left) {
          const { answer } = world.service.use(token, left.key, world.now)

          if (answer) {
            world.service.end(answer.session.id)
            world.cookieJar = undefined
          }

          world.left = undefined
        }
      })
    }
  }

  wake(): void {
    this.dispatch(['woke'])
    this.look()
    this.leave()
  }

  look(): void {
    this.#perform([['read', 'looked']], () => {})
  }

  hear(news: News): void {
    this.#later('hear', () => this.dispatch(['told', news]))
  }

  #later(what: string, finish: (outcome: Outcome) => void): void {
    const operation = {
      what,
      finish: (outcome: Outcome) => {
        this.operations.splice(this.operations.indexOf(operation), 1)
        finish(outcome)
      }
    }

    this.operations.push(operation)
  }

  // One after another, as the runtime does
  #perform([effect, ...others]: Effect[], done: () => void): void {
    if (!effect) {
      return done()
    }

    const world = this.#world
    const next = () => this.#perform(others, done)

    switch (effect[0]) {
      case 'queue':
        return this.#later('queue', () => {
          world.holder = this
          this.#perform([['read', 'read']], () => {
            world.holder = undefined
            next()
          })
        })

      case 'read': {
        const [, purpose, awaited] = effect
        const hasWaited = awaited !== undefined

        return this.#later(`read ${purpose}`, () => {
          const stored = this.#read()

          this.dispatch([purpose, stored, !stored && Boolean(world.left), hasWaited] as Event, next)
        })
      }

      case 'send': {
        const [, kept] = effect
        const token = world.cookie ? world.cookieJar : kept.refreshToken

        return this.#later('send', (outcome) => {
          if (outcome === 'lost' || outcome === 'false') {
            return this.dispatch(['failed', new Error(outcome), 0], next)
          }

          const answer = world.service.use(token, kept.key, world.now)

          if (answer.refusal !== undefined) {
            if (outcome === 'ok' && token === world.cookieJar) {
              world.cookieJar = undefined
            }

            return this.dispatch(
              outcome === 'ok'
                ? ['refused', answer.refusal, new Error(String(answer.refusal))]
                : ['failed', new Error('lost'), 0],
              next
            )
          }
          if (outcome === 'unheard') {
            return this.dispatch(['failed', new Error('lost'), 0], next)
          }
          if (world.cookie) {
            world.cookieJar = answer.token
          }

          this.dispatch(['answered', answer.answer, world.cookie ? undefined : answer.token, life], next)
        })
      }

      case 'save': {
        const [, kept, news, isSignIn] = effect

        const save = () => {
          const counts = this.#write(kept, isSignIn ? undefined : news?.from)

          if (news) {
            this.dispatch(['saved', counts, kept, news, isSignIn], next)
          } else {
            next()
          }
        }

        this.#remember(kept)
        // Beside cookies there is the storage of a browser, which does not take time
        return world.cookie ? save() : this.#later('save', save)
      }

      case 'erase': {
        const [, key] = effect

        if (!key) {
          this.#remember(undefined)
        }

        const erase = () => {
          if (!key || this.#read()?.key === key) {
            this.#write(undefined)
          }

          next()
        }

        return world.cookie ? erase() : this.#later('erase', erase)
      }

      case 'tell':
        if (world.hasChannel) {
          world.tabs.filter((tab) => tab !== this).forEach((tab) => tab.hear(effect[1]))
        }
        break

      case 'emit':
        this.heard.push([effect[1], effect[2]])
        this.onEmit(effect[1])
        break

      case 'settle':
        this.waiting = 0
        break

      case 'show':
      case 'resetSocket':
        break
    }

    next()
  }

  // As ports/storage.ts, which has tests of its own
  #read(): Kept | undefined {
    const before = this.#known

    if (this.#ask()) {
      const known = this.#known!

      if (this.#hasFailed && (!known || before === null || known.key === before?.key)) {
        this.#put(this.#memory)
      } else if (!this.#isAhead || this.#hasFailed) {
        this.#memory = known
        this.#isAhead = this.#hasFailed = false
      }
    }

    return this.#memory
  }

  /** Reads the storage, if that works. */
  #ask(): boolean {
    const { fault, stored } = this.#world

    if (fault === 'denied') {
      return false
    }

    this.#known = stored ? JSON.parse(stored) : undefined
    return true
  }

  #remember(kept: Kept | undefined): void {
    this.#memory = kept
    this.#isAhead = true
    this.#hasFailed = false
  }

  #put(kept: Kept | undefined): boolean {
    const world = this.#world
    const isStored = world.fault === 'none' || (!kept && world.fault === 'full')

    if (isStored) {
      world.stored = kept && JSON.stringify(kept)
      this.#known = kept
      this.#isAhead = this.#hasFailed = false
    }

    return isStored
  }

  #write(kept: Kept | undefined, from?: string): Kept | undefined {
    const world = this.#world

    this.#remember(kept)

    if (!this.#put(kept)) {
      this.#ask()

      if (from && this.#known?.key === from) {
        this.#memory = this.#known
        this.#isAhead = false
      } else {
        this.#hasFailed = true

        if (kept && world.fault === 'full') {
          world.stored = this.#known = undefined
          world.wasCleared = true
        }
      }
    }

    return this.#memory
  }
}
