import type { AuthenticationResult } from '@feathersjs/authentication'
import { NotAuthenticated } from './answers.js'
import type { SessionEndReason } from './options.js'

// The client as a state machine: a state and an event make the next state and a list of effects. Nothing here waits,
// stores or sends; the runtime carries the effects out and tells of their outcome in further events.

/** What is kept of a session. */
export interface Kept {
  /**
   * The idempotency key of the next refresh. It is kept before the refresh is sent, so that a repetition, by another tab
   * or after a restart, sends the same one. It also tells one refresh token from the next.
   */
  key: string
  /** Absent where the token is in a cookie. */
  refreshToken?: string | undefined
}

/** What tabs tell each other: a new access token, which is in no storage, or the end of the session. */
export interface News {
  /** What the session is kept under from now on. `null`: it is over */
  key: string | null
  /** What it was kept under before. */
  from: string | undefined
  result?: AuthenticationResult
  /** The remaining life of the access token, ms */
  life?: number
  reason?: SessionEndReason | null
}

/** A refresh in progress. Times are in ms of a clock that never goes back. */
interface Refresh {
  /** The access token to be replaced. */
  old: string | undefined
  /** How often the storage was read for it. */
  reads: number
  /** What the service was asked with. */
  used?: Kept
  /** The session at that time, which another tab may have replaced. */
  base?: string
  /** Whether nothing was stored any more, and nobody told of a sign-out. */
  isCleared?: boolean
  /** Whether the session has ended meanwhile. */
  isOver?: boolean
  outcome?: ['answered', AuthenticationResult, string | undefined, number] | ['refused', Refusal, unknown]
}

/** Why a refresh was refused. `null`: there is no cookie */
export type Refusal = SessionEndReason | null

export interface State {
  /** The refresh token is in a cookie, which can't be seen. */
  cookie: boolean | undefined
  /** Whether access tokens are renewed before they are needed. */
  renews: boolean
  /** Undefined: nobody is signed in as far as is known, or by a service without refresh tokens. */
  kept?: Kept | undefined
  result?: AuthenticationResult | undefined
  /** When the access token expires, ms */
  expiresAt: number
  /** When to renew it, ms */
  renewAt: number
  refresh?: Refresh | undefined
  /** Refreshes that failed since the last one that did not. */
  failures: number
  failure?: unknown
  /** When the service may be asked again, ms */
  blockedUntil: number
  /** What another tab told last. */
  news?: News | undefined
}

export const initialState = (cookie: boolean | undefined, renews: boolean): State => ({
  cookie,
  renews,
  expiresAt: Infinity,
  renewAt: Infinity,
  failures: 0,
  blockedUntil: 0
})

/** What happens to a client. */
export interface Events {
  /** Somebody needs a new access token. @param isAsked by the user, who does not wait for a pause to end */
  need(isAsked?: boolean): void
  /**
   * The storage was read, for the refresh in progress.
   *
   * @param isLeft A sign-out is still to be told to the service
   * @param hasWaited Other tabs had the time to tell what they stored
   */
  read(stored: Kept | undefined, isLeft?: boolean, hasWaited?: boolean): void
  answered(result: AuthenticationResult, refreshToken: string | undefined, life: number): void
  refused(reason: Refusal, error: unknown): void
  /** @param pause How long the service asks to wait, ms */
  failed(error: unknown, pause: number): void
  signedIn(result: AuthenticationResult, refreshToken: string | undefined, life: number): void
  /** The user gave credentials again, for the session at hand. */
  raised(result: AuthenticationResult, life: number): void
  /** An earlier run of the app has left a session. */
  found(stored: Kept): void
  /** @param counts What was stored, or if that failed, what is used from now on */
  saved(counts: Kept | undefined, kept: Kept, news: News, isSignIn?: boolean): void
  /** The session is over. `null`: the user has signed out */
  ended(reason: SessionEndReason | null, answer?: AuthenticationResult | null): void
  /** The only token of a service without refresh tokens was refused. */
  forgotten(): void
  /** The service refuses an access token, whatever our clock says. */
  doubted(accessToken: string): void
  /** The service takes an access token. */
  confirmed(accessToken: string, answer: AuthenticationResult): void
  told(news: News): void
  /** The storage was read, to see what other tabs did. */
  looked(stored: Kept | undefined, isLeft?: boolean, hasWaited?: boolean): void
  tick(): void
  /** Timers may have stood still, or the network is back. */
  woke(): void
}

/** What is to be done, in this order. */
export interface Effects {
  /** Wait for our turn among the tabs, then read. */
  queue(): void
  /** Read the storage. @param awaited First wait for a tab to tell of this key */
  read(purpose: 'read' | 'looked', awaited?: string | null): void
  /** Ask the service for new tokens. */
  send(kept: Kept): void
  save(kept: Kept, news?: News, isSignIn?: boolean): void
  /** @param key Only what is stored under this key */
  erase(key?: string): void
  tell(news: News): void
  /** Show the app who is signed in. */
  show(): void
  emit(name: string, data: unknown): void
  /** Sign the socket in anew: an answer that is not used may have changed who it is. */
  resetSocket(): void
  /** Answer all who wait for the refresh. */
  settle(error?: unknown): void
}

type Calls<T> = { [K in keyof T]: T[K] extends (...args: infer A) => void ? [name: K, ...args: A] : never }
export type Event = Calls<Events>[keyof Events]
export type Effect = Calls<Effects>[keyof Effects]

const earliest = 0.75 // of an access token's life: when it is renewed
const spread = 0.15 // of it: so that many clients are not in step
const shortestPause = 1000 // ms between two renewals: a session about to end has tokens that live for no time
const longestPause = 600_000 // ms: however long the service, or somebody in its place, asks us to wait
const longestBackoff = 60_000 // ms
const mostReads = 20 // in one refresh: a storage that never answers the same twice

/** How long to wait after so many failures, in ms: up to 1 s, 3 s, 7 s… @param chance From 0 to 1 */
export const backoff = (failures: number, chance: number): number =>
  Math.min(1000 * (2 ** failures - 1), longestBackoff) * (0.5 + chance / 2)

/**
 * One step of the machine.
 *
 * @param now ms, by a clock that never goes back
 * @param chance From 0 to 1
 * @param newKey A key that was never used
 */
export function step(
  before: State,
  event: Event,
  now: number,
  chance: number,
  newKey: string
): [State, Effect[]] {
  const state = { ...before }
  const effects: Effect[] = []
  const act = (...effect: Effect) => void effects.push(effect)
  const settle = (error?: unknown) => {
    state.refresh = undefined
    act('settle', error)
  }

  const keep = (
    result: AuthenticationResult,
    refreshToken: string | undefined,
    life: number,
    isSignIn?: boolean
  ) => {
    const from = (isSignIn ? state.kept : state.refresh!.used)?.key

    state.kept = { key: newKey, refreshToken }
    act('save', state.kept, { key: newKey, from, result, life }, isSignIn)
  }

  const isOther = (result: AuthenticationResult) =>
    !state.result || state.result.session?.id !== result.session?.id

  const take = (result: AuthenticationResult, life: number, isSignIn?: boolean) => {
    const isNew = isSignIn || isOther(result)

    state.result = result
    state.expiresAt = now + life
    state.renewAt =
      state.kept && state.renews
        ? now + Math.max(life * (earliest + spread * chance), shortestPause)
        : Infinity
    state.failures = state.blockedUntil = 0
    state.news = undefined
    act('show')

    if (isNew) {
      act('emit', 'login', result)
      act('emit', 'authenticated', result)
    } else {
      act('emit', 'refreshed', result)
    }
  }

  /** Takes what another tab told, if that is what is stored. */
  const adopt = (news = state.news) => {
    state.kept = { key: news!.key! }
    take(news!.result!, news!.life!)
  }
  const isNews = (stored: Kept) => stored.key === state.news?.key && stored.key !== state.kept?.key

  const end = (reason: SessionEndReason | null, answer?: AuthenticationResult | null, isTold?: boolean) => {
    const { kept, result } = state

    if (kept) {
      state.kept = state.result = undefined
      state.renewAt = Infinity
      state.refresh &&= { ...state.refresh, isOver: true }
      act('show')
      act('erase', isTold ? kept.key : undefined)

      if (!isTold) {
        act('tell', { key: null, from: kept.key, reason })
      }
      if (kept.refreshToken || result) {
        act('emit', reason ? 'session-ended' : 'logout', reason ?? answer ?? null)
      }
    }
  }

  const on: Events = {
    need(isAsked) {
      if (state.refresh) {
        // All wait for one
      } else if (now < state.blockedUntil && !isAsked) {
        act('settle', state.failure)
      } else {
        state.refresh = { old: state.result?.accessToken, reads: 0 }
        act('queue')
      }
    },

    read(stored, isLeft, hasWaited) {
      const { outcome, ...refresh } = state.refresh!
      const { used } = refresh

      state.refresh = refresh

      if (outcome) {
        // An answer counts only if nobody signed in or out meanwhile
        if (stored?.key === used!.key && state.kept?.key === refresh.base) {
          if (outcome[0] === 'refused') {
            end(outcome[1] ?? (refresh.isCleared ? null : 'expired'))
            return settle(outcome[2])
          }
          if (!isOther(outcome[1]) || !state.result || used!.key !== state.kept?.key) {
            return keep(outcome[1], outcome[2], outcome[3])
          }

          // The cookie of an earlier session has come back, with a late answer to another tab
          end('expired')
          return settle(new NotAuthenticated('Another session'))
        }

        act('resetSocket')
      }

      if (stored && isNews(stored)) {
        adopt()
      } else if (state.result && stored && stored.key !== state.kept?.key && !hasWaited) {
        // Another tab is about to tell of its new tokens
        return act('read', 'read', stored.key)
      }

      if (refresh.reads++ > mostReads || state.result?.accessToken !== refresh.old) {
        settle()
      } else if (stored || (state.cookie && !isLeft && !refresh.isOver)) {
        // A cookie can't be seen: there may be one though nothing is stored
        refresh.isCleared = !stored && Boolean(state.kept)
        refresh.used = stored ?? state.kept ?? { key: newKey }
        state.kept ??= refresh.used
        refresh.base = state.kept.key

        if (!stored) {
          act('save', refresh.used)
        }

        act('send', refresh.used)
      } else {
        end(null, null, true)
        settle(new NotAuthenticated('Signed out'))
      }
    },

    answered: (...answer) => judge(['answered', ...answer]),
    refused: (...refusal) => judge(['refused', ...refusal]),

    failed(error, pause) {
      if (state.kept) {
        state.failure = error
        state.blockedUntil = now + Math.min(pause, longestPause)
        state.renewAt = state.renews ? state.blockedUntil + backoff(++state.failures, chance) : Infinity
      }

      settle(error)
    },

    signedIn(result, refreshToken, life) {
      if (refreshToken || (state.cookie && result.session)) {
        keep(result, refreshToken, life, true)
      } else {
        state.kept = undefined
        act('erase')
        take(result, life, true)
      }
    },

    raised(result, life) {
      if (!isOther(result)) {
        take(result, life)
      }
    },

    found(stored) {
      state.kept = stored
    },

    saved(counts, kept, news, isSignIn) {
      if (state.kept?.key === kept.key) {
        state.kept = counts

        if (counts === kept) {
          act('tell', news)
        }

        take(news.result!, news.life!, isSignIn)
      }
      if (!isSignIn) {
        settle()
      }
    },

    ended: end,

    forgotten() {
      state.result = undefined
      act('show')
    },

    doubted(accessToken) {
      if (accessToken === state.result?.accessToken) {
        state.expiresAt = 0
      }
    },

    confirmed(accessToken, answer) {
      if (accessToken === state.result?.accessToken) {
        state.result = { ...state.result, ...answer }
      }
    },

    told(news) {
      if (!state.kept || news.from !== state.kept.key) {
        state.news = news
        act('read', 'looked')
      } else if (news.key) {
        adopt(news)
      } else {
        end(news.reason!, null, true)
      }
    },

    looked(stored, isLeft, hasWaited) {
      const { kept, news } = state

      if (state.refresh || stored?.key === kept?.key) {
        // Nothing to see, or it is seen by the refresh
      } else if (stored && isNews(stored)) {
        adopt()
      } else if (!hasWaited) {
        act('read', 'looked', stored ? stored.key : null)
      } else if (stored || (state.cookie && !isLeft)) {
        on.need()
      } else {
        end(news?.reason ?? null, null, true)
      }
    },

    tick() {
      if (now >= state.renewAt) {
        state.renewAt = Infinity
        on.need()
      }
    },

    woke() {
      if (state.failures && now >= state.blockedUntil) {
        state.renewAt = 0
      }

      on.tick()
    }
  }

  /** What the service says is judged by what is stored by now. */
  function judge(outcome: Refresh['outcome'] & {}): void {
    state.refresh = { ...state.refresh!, outcome }
    act('read', 'read')
  }

  const [name, ...data] = event

  ;(on[name] as (...data: unknown[]) => void)(...data)
  return [state, effects]
}
