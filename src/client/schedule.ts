import type { AuthenticationResult } from '@feathersjs/authentication'
import { retryAfterOf } from './answers.js'
import type { Core } from './core.js'
import { renew } from './renewal.js'
import { isPage } from './surroundings.js'
import { backoff, ignored } from './time.js'

const earliest = 0.75 // of an access token's life: when it is renewed
const spread = 0.15 // of it: so that many clients are not in step
const shortestPause = 1000 // ms between two renewals: a session that is about to run out has tokens that live for no time
const longestNap = 30_000 // ms: timers stand still while a computer sleeps, so the clock is looked at this often

/** There is a new access token, to be renewed in time. */
export function plan(core: Core): void {
  const renewAt = core.expiresAt - lifeOf(core.result!) * (1 - earliest - spread * Math.random())

  core.failures = core.blockedUntil = 0
  schedule(core, Math.max(renewAt, core.clock.now() + shortestPause))
}

/** A refresh has failed. */
export function tryLater(core: Core, error: unknown): void {
  core.failure = error
  core.blockedUntil = core.clock.now() + retryAfterOf(error)
  schedule(core, core.blockedUntil + backoff(++core.failures))
}

/** A request of the server for a page has no life of its own: nothing is renewed after its answer. */
export function schedule(core: Core, at: number): void {
  core.renewAt = core.kept && (isPage || !core.client.options.cookie) ? at : Infinity
  look(core)
}

/** Timers may have stood still; and after a failure one need not wait, unless the service asked to. */
export function wake(core: Core): void {
  if (core.failures && core.clock.now() >= core.blockedUntil) {
    core.renewAt = 0
  }
  look(core)
}

/** Renews if it is time. */
function look(core: Core): void {
  const { clock } = core
  const remaining = core.renewAt - clock.now()

  clock.clearTimeout(core.timer)

  if (remaining <= 0) {
    core.renewAt = Infinity
    renew(core).catch(ignored)
  } else if (remaining < Infinity) {
    core.timer = clock.setTimeout(() => look(core), Math.min(remaining, longestNap))
    ;(core.timer as { unref?(): void } | undefined)?.unref?.() // in Node.js, it keeps no process alive
  }
}

/** How long an access token lives: ms */
export function lifeOf({ authentication }: AuthenticationResult): number {
  const { iat, exp } = authentication?.payload ?? {}

  return exp ? (exp - iat) * 1000 : Infinity
}
