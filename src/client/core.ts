import type { AuthenticationResult } from '@feathersjs/authentication'
import { NotAuthenticated } from './answers.js'
import type { SessionEndReason } from './options.js'

// The client as a state machine: a state and an event give the next state and a list of effects. Nothing here waits,
// stores or sends; the runtime performs the effects and reports their outcomes as further events.

/** The stored part of a session. */
export interface Kept {
  /**
   * The idempotency key of the next refresh. It is stored before the refresh is sent, so that a repeat, by another tab
   * or after a restart, sends the same key. It also identifies the refresh token.
   */
  key: string
  /** Missing if the token is in a cookie. */
  refreshToken?: string | undefined
}

/** A message between tabs: a new access token, which is never stored, or the end of the session. */
export interface News {
  /** The new key of the session; `null` if it has ended. */
  key: string | null
  /** Its previous key. */
  from: string | undefined
  result?: AuthenticationResult
  /** The remaining life of the access token, ms. */
  life?: number
  reason?: SessionEndReason | null
}

/** A refresh in progress. Times are in ms of a clock that never goes back. */
interface Refresh {
  /** The access token to replace. */
  old: string | undefined
  /** How often it has read the storage. */
  reads: number
  /** The session as it was sent to the service. */
  used?: Kept
  /** The key of the session at that time; another tab may have replaced it since. */
  base?: string
  /** Whether the storage was empty although no tab reported a sign-out. */
  isCleared?: boolean
  /** Whether the session has ended in the meantime. */
  isOver?: boolean
  outcome?: ['answered', AuthenticationResult, string | undefined, number] | ['refused', Refusal, unknown]
}

/** Why a refresh was refused; `null` if there was no cookie. */
export type Refusal = SessionEndReason | null

export interface State {
  /** Whether the refresh token is in a cookie, which scripts can't read. */
  cookie: boolean | undefined
  /** Whether access tokens are renewed before they are needed. */
  renews: boolean
  /** Undefined if nobody is known to be signed in, or the service gave no refresh token. */
  kept?: Kept | undefined
  result?: AuthenticationResult | undefined
  /** When the access token expires, ms. */
  expiresAt: number
  /** When to renew it, ms. */
  renewAt: number
  refresh?: Refresh | undefined
  /** Failed refreshes since the last success. */
  failures: number
  failure?: unknown
  /** When the next refresh may be sent, ms. */
  blockedUntil: number
  /** When waking last retried a failed refresh, ms. */
  wokeAt: number
  /** The last message from another tab that couldn't be applied yet. */
  news?: News | undefined
}

export const initialState = (cookie: boolean | undefined, renews: boolean): State => ({
  cookie,
  renews,
  expiresAt: Infinity,
  renewAt: Infinity,
  failures: 0,
  blockedUntil: 0,
  wokeAt: -Infinity
})

/** The events that a client handles. */
export interface Events {
  /** A new access token is needed. @param isAsked Whether the app asked for it, which overrides a pause */
  need(isAsked?: boolean): void
  /**
   * The storage was read for the refresh in progress.
   *
   * @param isLeft Whether the service hasn't been told of a sign-out yet
   * @param hasWaited Whether other tabs had time to report what they stored
   */
  read(stored: Kept | undefined, isLeft?: boolean, hasWaited?: boolean): void
  answered(result: AuthenticationResult, refreshToken: string | undefined, life: number): void
  refused(reason: Refusal, error: unknown): void
  /** The refresh failed. @param pause How long the service asks to wait, ms */
  failed(error: unknown, pause: number): void
  signedIn(result: AuthenticationResult, refreshToken: string | undefined, life: number): void
  /** The user gave credentials again, for the session at hand. */
  raised(result: AuthenticationResult, life: number): void
  /** The storage holds a session of an earlier run of the app. */
  found(stored: Kept): void
  /** @param counts The stored session or, if storing failed, the one to use from now on */
  saved(counts: Kept | undefined, kept: Kept, news: News, isSignIn?: boolean): void
  /** The session has ended. @param reason `null` if the user signed out */
  ended(reason: SessionEndReason | null, answer?: AuthenticationResult | null): void
  /** A service without refresh tokens refused its only token. */
  forgotten(): void
  /** The service refused an access token that hasn't expired by our clock. */
  doubted(accessToken: string): void
  /** The service accepted an access token. */
  confirmed(accessToken: string, answer: AuthenticationResult): void
  told(news: News): void
  /** The storage was read, to learn what other tabs did. */
  looked(stored: Kept | undefined, isLeft?: boolean, hasWaited?: boolean): void
  tick(): void
  /** Timers may have been suspended, or the network is back. */
  woke(): void
}

/** The effects of a step, performed in order. */
export interface Effects {
  /** Wait for this tab's turn, then read the storage. */
  queue(): void
  /** Read the storage. @param awaited Wait first for a message from another tab about this key */
  read(purpose: 'read' | 'looked', awaited?: string | null): void
  /** Ask the service for new tokens. */
  send(kept: Kept): void
  save(kept: Kept, news?: News, isSignIn?: boolean): void
  /** Erase the stored session. @param key Only if it has this key */
  erase(key?: string): void
  tell(news: News): void
  /** Tell the app who is signed in. */
  show(): void
  emit(name: string, data: unknown): void
  /** End a session at the service that the storage has lost. @param accessToken Missing if there is none yet */
  leave(kept: Kept, accessToken: string | undefined): void
  /** Sign the socket in again: an answer that was discarded may have changed its user. */
  resetSocket(): void
  /** Answer everybody who waits for the refresh. */
  settle(error?: unknown): void
}

type Calls<T> = { [K in keyof T]: T[K] extends (...args: infer A) => void ? [name: K, ...args: A] : never }
export type Event = Calls<Events>[keyof Events]
export type Effect = Calls<Effects>[keyof Effects]

const earliest = 0.75 // of an access token's life, after which it is renewed
const spread = 0.15 // of its life, so that clients don't all refresh at once
const shortestPause = 1000 // ms between two renewals: the tokens of a session that is about to end expire at once. Also between retries on waking
const longestPause = 600_000 // ms, even if the service (or a proxy in front of it) asks to wait longer
const longestBackoff = 60_000 // ms
const mostReads = 20 // of the storage in one refresh, in case its content keeps changing

/** How long to wait after a number of failures, ms: up to 1 s, 3 s, 7 s… @param chance From 0 to 1 */
export const backoff = (failures: number, chance: number): number =>
  Math.min(1000 * (2 ** failures - 1), longestBackoff) * (0.5 + chance / 2)

/**
 * One step of the machine.
 *
 * @param now ms, by a clock that never goes back
 * @param chance A random number from 0 to 1
 * @param newKey A key that was never used before
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

  /** Adopts the session that another tab reported. */
  const adopt = () => {
    const { key, result, life } = state.news!

    state.kept = { key: key! }
    take(result!, life!)
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
      } else if (!state.cookie && state.news?.key !== null) {
        // No tab has signed out: the user or a script has cleared the storage
        act('leave', kept, result?.accessToken)
      }
      if (kept.refreshToken || result) {
        act('emit', reason ? 'session-ended' : 'logout', reason ?? answer ?? null)
      }
    }
  }

  const on: Events = {
    need(isAsked) {
      if (state.refresh) {
        // Joins the refresh in progress
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
        // The answer counts only if nobody signed in or out in the meantime
        if (stored?.key === used!.key && state.kept?.key === refresh.base) {
          if (outcome[0] === 'refused') {
            end(outcome[1] ?? (refresh.isCleared ? null : 'expired'))
            return settle(outcome[2])
          }
          if (!isOther(outcome[1]) || !state.result || used!.key !== state.kept?.key) {
            return keep(outcome[1], outcome[2], outcome[3])
          }

          // A late answer to another tab has restored the cookie of an earlier session
          end('expired')
          return settle(new NotAuthenticated('Another session'))
        }

        act('resetSocket')
      }

      if (stored && isNews(stored)) {
        adopt()
      } else if (state.result && stored && stored.key !== state.kept?.key && !hasWaited) {
        // Another tab is about to report its new tokens
        return act('read', 'read', stored.key)
      }

      if (refresh.reads++ > mostReads || state.result?.accessToken !== refresh.old) {
        settle()
      } else if (stored || (state.cookie && !isLeft && !refresh.isOver)) {
        // Scripts can't see a cookie: there may be one even if nothing is stored
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
        state.blockedUntil = now + Math.min(Math.max(pause, 0), longestPause)
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
        act('show')
      }
    },

    told(news) {
      state.news = news

      if (news.from !== state.kept?.key || !state.kept) {
        act('read', 'looked')
      } else if (news.key) {
        adopt()
      } else {
        end(news.reason!, null, true)
      }
    },

    looked(stored, isLeft, hasWaited) {
      const { kept, news } = state

      if (state.refresh || stored?.key === kept?.key) {
        // Nothing changed, or the refresh in progress will notice
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
      if (state.failures && now >= state.blockedUntil && now - state.wokeAt >= shortestPause) {
        state.wokeAt = now
        state.renewAt = 0
      }

      on.tick()
    }
  }

  /** Reads the storage again before the outcome of a refresh is applied: another tab may have changed it. */
  function judge(outcome: Refresh['outcome'] & {}): void {
    state.refresh = { ...state.refresh!, outcome }
    act('read', 'read')
  }

  const [name, ...data] = event

  ;(on[name] as (...data: unknown[]) => void)(...data)
  return [state, effects]
}
