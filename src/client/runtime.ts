import type { AuthenticationResult } from '@feathersjs/authentication'
import { isRefused, lifeOf, NotAuthenticated, refreshRefusalOf, retryAfterOf } from './answers.js'
import { step, type Effects, type Event, type Kept, type News, type State } from './core.js'
import { isPage, newKey } from './ports/platform.js'
import type { SessionStorage } from './ports/storage.js'
import type { Tabs } from './ports/tabs.js'
import { refresh, type Requester } from './requests.js'

const longestTimer = 30_000 // ms: timers stop while a device sleeps, so the clock is checked this often

/** A client: the state of its core, and what it takes to perform the effects. */
export interface Runtime extends Requester {
  readonly storage: SessionStorage
  /** The session of a sign-out that the service could not be told of. Stored if its token is in a cookie. */
  readonly left: SessionStorage
  /** An access token that the service doesn't know. If the storage holds it, it is another app's. */
  foreign?: unknown
  readonly tabs: Tabs
  /** Ends a session at the service that the storage has lost. */
  leave(kept: Kept, accessToken: string | undefined): unknown

  state: State
  timer?: unknown
  /** Callbacks of those who wait for the refresh in progress. */
  waiting: ((error: unknown) => void)[]

  /** In progress: a sign-in of the socket, a delayed sign-out, a sign-out. */
  signing?: Promise<void> | undefined
  leaving?: Promise<void> | undefined
  signingOut?: Promise<AuthenticationResult | null> | undefined
  /** Settles when all sign-ins and sign-outs so far are done. */
  turn?: Promise<unknown>
  /** An access token that was refused although it had just been renewed. Further refusals don't renew it again. */
  trusted?: string | undefined
}

/** Passes an event to the core, and performs the resulting effects. */
export async function dispatch(runtime: Runtime, ...event: Event): Promise<void> {
  const [state, effects] = step(runtime.state, event, runtime.clock.elapsed(), Math.random(), newKey())

  runtime.state = state
  setTimer(runtime)

  for (const [name, ...data] of effects) {
    await (perform[name] as (runtime: Runtime, ...data: unknown[]) => unknown)(runtime, ...data)
  }
}

/**
 * Renews the access token. Everybody who needs a new one waits for the same refresh.
 *
 * @param isAsked Whether the app asked for it, which overrides a pause between attempts
 */
export async function renew(runtime: Runtime, isAsked?: boolean): Promise<AuthenticationResult> {
  // An error hook that asks for a refresh because one failed would loop forever. Other hooks end within a few ticks
  for (let ticks = 100; runtime.hooked; ticks--) {
    if (!ticks) {
      throw runtime.hooked
    }

    await Promise.resolve()
  }

  await new Promise<void>((resolve, reject) => {
    runtime.waiting.push((error) => (error ? reject(error) : resolve()))
    void dispatch(runtime, 'need', isAsked)
  })

  return resultOf(runtime)
}

/** Follows another tab: its message or, without one, what it stored. */
export async function look(runtime: Runtime, news?: News): Promise<void> {
  // Not before the app has asked who is signed in
  if (runtime.client.app.get('authentication') !== undefined) {
    await (news ? dispatch(runtime, 'told', news) : perform.read(runtime, 'looked'))
  }
}

/** @throws NotAuthenticated */
export function resultOf({ state }: Runtime): AuthenticationResult {
  if (!state.result) {
    throw new NotAuthenticated('Signed out')
  }

  return state.result
}

export const isExpired = ({ state, clock }: Runtime): boolean => clock.elapsed() >= state.expiresAt

/** Tells the app who is signed in. */
export function show({ client, state }: Runtime): void {
  client.authenticated = Boolean(state.result)
  client.app.set('authentication', state.result ? Promise.resolve(state.result) : null)
}

/** Splits the answer to a sign-in or a refresh for the core. @param since When the request was sent, ms */
export function readAnswer(
  { client, clock }: Runtime,
  answer: AuthenticationResult,
  since: number
): [result: AuthenticationResult, refreshToken: string | undefined, life: number] {
  const { [client.options.refreshTokenField!]: token, ...result } = answer

  return [result, typeof token === 'string' ? token : undefined, lifeOf(result) - (clock.elapsed() - since)]
}

const perform: { [K in keyof Effects]: (runtime: Runtime, ...data: Parameters<Effects[K]>) => unknown } = {
  async queue(runtime) {
    try {
      await runtime.link?.connected()
    } catch (error) {
      return dispatch(runtime, 'failed', error, 0)
    }

    return runtime.tabs.oneAtATime(() => perform.read(runtime, 'read') as Promise<void>)
  },

  async read(runtime, purpose, awaited) {
    const hasWaited = awaited !== undefined

    if (hasWaited) {
      await runtime.tabs.hears(() => runtime.state.news?.key === awaited)
    }

    const stored = await runtime.storage.read()
    const isLeft = !stored && Boolean(await runtime.left.read())

    return dispatch(runtime, purpose, stored, isLeft, hasWaited)
  },

  async send(runtime, kept) {
    const since = runtime.clock.elapsed()
    const { cookie } = runtime.client.options

    try {
      if (!kept.refreshToken && !cookie) {
        throw new NotAuthenticated('No refresh token', { reason: 'invalid' })
      }

      const answer = readAnswer(runtime, await refresh(runtime, kept), since)

      return dispatch(runtime, 'answered', ...answer)
    } catch (error) {
      const reason = refreshRefusalOf(error, cookie)

      return reason === undefined
        ? dispatch(runtime, 'failed', error, retryAfterOf(error))
        : dispatch(
            runtime,
            'refused',
            reason,
            isRefused(error) ? error : new NotAuthenticated((error as Error).message, { reason })
          )
    }
  },

  async save(runtime, kept, news, isSignIn) {
    const counts = await runtime.storage.write(kept, isSignIn ? undefined : news?.from)

    if (news) {
      return dispatch(runtime, 'saved', counts, kept, news, isSignIn)
    }
  },

  async erase({ storage }, key) {
    if (!key || (await storage.read())?.key === key) {
      await storage.write()
    }
  },

  tell: ({ tabs }, news) => tabs.tell(news),

  show(runtime) {
    show(runtime)

    // A sign-in of the socket that is in progress picks up the new result itself. Starting another one here could renew
    // refused tokens forever
    if (runtime.state.result && !runtime.signing) {
      runtime.link?.signIn()
    }
  },

  emit: ({ client }, name, data) => emit(client.app, name, data),

  leave(runtime, ...lost) {
    runtime.leave(...lost)
  },

  resetSocket: ({ link }) => link?.signInAnew(),

  settle({ waiting }, error) {
    waiting.splice(0).forEach((settle) => settle(error))
  }
}

/** Emits an event. An error of a listener is reported, in pages as an unhandled rejection, and stops nothing. */
export function emit(app: { emit(name: string, data: unknown): unknown }, name: string, data: unknown): void {
  try {
    app.emit(name, data)
  } catch (error) {
    if (isPage) {
      void Promise.reject(error)
    } else {
      console.error(error) // an unhandled rejection would end a Node.js process
    }
  }
}

function setTimer(runtime: Runtime): void {
  const { clock, state, timer } = runtime
  const remaining = state.renewAt - clock.elapsed()

  clock.clearTimeout(timer)

  if (remaining < Infinity) {
    runtime.timer = clock.setTimeout(() => void dispatch(runtime, 'tick'), Math.min(remaining, longestTimer))
    ;(runtime.timer as { unref?(): void } | undefined)?.unref?.() // doesn't keep a Node.js process running
  }
}
