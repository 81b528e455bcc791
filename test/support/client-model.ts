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
  /** What was stored before it was cleared. */
  earlier: string | undefined
  /** With cookies: a sign-out that the service was not told of. */
  left: Kept | undefined
  /** Writes that the storage has not applied yet, though their tab no longer waits. */
  readonly late: Operation[] = []
  /** Sessions that nobody has to end: another sign-in replaced them, or their tab was closed. */
  readonly abandoned = new Set<string>()
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
    this.service.sessions.forEach(({ id }) => this.abandoned.add(id))
    this.signedOut.delete(String(tab.left?.refreshToken?.split('/')[0]))
    this.tabs.splice(this.tabs.indexOf(tab), 1)

    if (this.holder === tab) {
      this.holder = undefined
    }
  }

  /** Those that can end now: one tab at a time refreshes. */
  get operations(): Operation[] {
    return [
      ...this.tabs.flatMap(({ operations }) =>
        operations.filter(
          (operation) =>
            (operation.what !== 'queue' || !this.holder) &&
            // One write of a tab at a time
            (!isWrite(operation) || operation === operations.find(isWrite))
        )
      ),
      ...this.late
    ]
  }

  /** What is stored last replaces the other sessions. */
  replaceAllBut(kept: Kept | undefined): void {
    if (kept) {
      const ours = kept.refreshToken?.split('/')[0]

      this.service.sessions.forEach(({ id }) => id === ours || this.abandoned.add(id))
    }
  }

  /** Late writes are seconds late, not longer than an access token lives. */
  settleLate(): void {
    while (this.late.length) {
      this.late[0]!.finish('ok')
    }
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

const isWrite = ({ what }: Operation): boolean => what === 'save' || what === 'erase'

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
  #left: Kept | undefined
  /** Late writes: of a session, of nothing. */
  readonly #stuck = new Set<boolean>()
  readonly #past = new Set<string>()
  readonly #world: World

  constructor(world: World) {
    this.#world = world
    this.state = initialState(world.cookie, true)
  }

  get left(): Kept | undefined {
    return this.#world.cookie ? this.#world.left : this.#left
  }

  set left(kept: Kept | undefined) {
    if (this.#world.cookie) {
      this.#world.left = kept
    } else {
      this.#left = kept

      if (kept && !kept.refreshToken) {
        // The token was in the storage, which was cleared
        this.#world.service.sessions.forEach(({ id }) => this.#world.abandoned.add(id))
      }
    }
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

        this.left = undefined

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
        this.left = this.#read() ?? this.state.kept
      }

      world.signedOut.add(id)
      world.signOuts++
      this.dispatch(['ended', null])
    })
  }

  /** Tells the service of a sign-out that it was not told of. */
  leave(): void {
    const world = this.#world
    const { left } = this

    if (left && !this.isBusy) {
      this.isBusy = true
      this.#later('leave', (outcome) => {
        const token = world.cookie ? world.cookieJar : left.refreshToken

        this.isBusy = false

        if (outcome === 'ok' && this.left === left) {
          const { answer } = world.service.use(token, left.key, world.now)

          if (answer) {
            world.service.end(answer.session.id)
            world.cookieJar = undefined
          }

          this.left = undefined
        }
      })
    }
  }

  hasReplaced(stored: string): boolean {
    return this.#past.has((JSON.parse(stored) as Kept).key)
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

          this.dispatch([purpose, stored, !stored && Boolean(this.left), hasWaited] as Event, next)
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

        const save = (outcome: Outcome) => {
          world.replaceAllBut(kept)

          const counts = this.#write(kept, isSignIn ? undefined : news?.from, outcome === 'unheard')

          if (news) {
            this.dispatch(['saved', counts, kept, news, isSignIn], next)
          } else {
            next()
          }
        }

        this.#remember(kept)
        // Beside cookies there is the storage of a browser, which does not take time
        return world.cookie ? save('ok') : this.#later('save', save)
      }

      case 'erase': {
        const [, key] = effect

        if (!key) {
          this.#remember(undefined)
        }

        const erase = (outcome: Outcome) => {
          if (key && this.#read()?.key === key) {
            this.#remember(undefined)
          }
          if (!this.#memory) {
            this.#write(undefined, undefined, outcome === 'unheard')
          }

          next()
        }

        return world.cookie ? erase('ok') : this.#later('erase', erase)
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

      case 'leave': {
        const [, kept, accessToken] = effect

        this.#later('end', (outcome) => {
          if (accessToken && outcome !== 'lost' && outcome !== 'false') {
            world.service.end(accessToken.split('/')[0]!)
          } else {
            this.left = kept
          }

          this.leave()
        })
        break
      }

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

      const isPast = known && this.#past.has(known.key)

      if (isPast || (this.#hasFailed && (!known || before === null || known.key === before?.key))) {
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

    const known = stored && JSON.parse(stored)

    this.#known = known?.key ? known : undefined
    return true
  }

  #remember(kept: Kept | undefined): void {
    this.#memory = kept
    this.#isAhead = true
    this.#hasFailed = false
  }

  #put(kept: Kept | undefined, isLate = false): boolean {
    const world = this.#world
    const known = this.#known
    const isStored = !this.#stuck.has(!kept) && (world.fault === 'none' || (!kept && world.fault === 'full'))

    if (isStored && isLate) {
      this.#writeLate(kept)
      return false
    }
    if (isStored) {
      if (known && known.key !== kept?.key) {
        this.#past.add(known.key)
      }

      world.stored = kept && JSON.stringify(kept)
      this.#known = kept
      this.#isAhead = this.#hasFailed = false
    }

    return isStored
  }

  /** The storage applies a write when the tab has given up on it, or is closed. */
  #writeLate(kept: Kept | undefined): void {
    const world = this.#world
    const { late } = world
    const write = {
      what: 'late write',
      finish: () => {
        late.splice(late.indexOf(write), 1)
        world.stored = kept && JSON.stringify(kept)
        world.replaceAllBut(kept)
        this.#known = kept
        this.#stuck.delete(!kept)

        if (this.isClosed) {
          // Nobody is left who knows of a sign-out that the service was not told of
          world.signedOut.delete(String(kept?.refreshToken?.split('/')[0]))
          world.wasCleared ||= !kept
        } else {
          if (!this.#memory !== !kept) {
            this.#isAhead = this.#hasFailed = true
          }
          if (this.#hasFailed) {
            this.#read()
          }
        }
      }
    }

    this.#stuck.add(!kept)
    late.push(write)
  }

  #write(kept: Kept | undefined, from?: string, isLate?: boolean): Kept | undefined {
    const world = this.#world

    if (!this.#put(this.#memory, isLate) && this.#memory === kept) {
      this.#ask()

      if (from && this.#known?.key === from) {
        this.#memory = this.#known
        this.#isAhead = false
      } else {
        this.#hasFailed = true

        if (kept && !this.#stuck.has(true) && (world.fault === 'full' || world.fault === 'none')) {
          world.stored = this.#known = undefined
          world.wasCleared = true
        }
      }
    }

    return this.#memory
  }
}
