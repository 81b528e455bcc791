import type { AuthenticationResult } from '@feathersjs/authentication'
import { ignored, within } from './time.js'
import type { RefusalReason } from '../refresh-token/errors.js'
import { NotAuthenticated, refusalOf } from './answers.js'
import type { Core } from './core.js'
import { refresh, remove } from './requests.js'
import { tryLater } from './schedule.js'
import { newKey, type Kept } from './session-storage.js'
import { adopt, end, keep } from './session.js'

const longestRefresh = 20_000 // ms: the service answers within 15 s

/** Renews the access token. All who need a new one wait for one refresh. */
export const renew = (core: Core): Promise<void> =>
  (core.renewal ??= tryOnce(core).finally(() => (core.renewal = undefined)))

async function tryOnce(core: Core): Promise<void> {
  if (core.clock.now() < core.blockedUntil) {
    throw core.failure
  }

  const old = core.result?.accessToken

  try {
    await core.link?.connected()
    await core.tabs.oneAtATime(() => replace(core, old))
  } catch (error) {
    if (core.kept) {
      tryLater(core, error)
    }

    throw error
  }
}

/** Takes another tab's result if there is one; else asks the service, again if the storage changed meanwhile. */
async function replace(core: Core, old: string | undefined): Promise<void> {
  for (;;) {
    let kept = await read(core)

    if (core.result && kept.key !== core.kept?.key) {
      // Another tab is about to tell, or has told and it does not show in the storage yet
      await core.tabs.hears(kept.key)
      adopt(core, 'key', kept.key)
      kept = await read(core)
    }
    if (core.result?.accessToken !== old) {
      return
    }

    core.kept = kept

    if (await use(core, kept)) {
      return
    }
  }
}

/** What is in the storage now. @throws NotAuthenticated when it is gone: another tab has signed out */
async function read(core: Core): Promise<Kept> {
  const kept = await core.storage.read()

  if (kept) {
    return kept
  }
  if (core.client.options.cookie && !core.kept) {
    // A cookie can't be seen: there may be one, of a page that the server made
    const guess = { key: newKey() }

    await core.storage.write(guess)
    return guess
  }

  await end(core, null)
  throw new NotAuthenticated('Signed out')
}

/** @returns whether it could be used before the storage changed */
async function use(core: Core, kept: Kept): Promise<boolean> {
  const askedAt = core.clock.now()
  let answer
  let reason: RefusalReason | undefined
  let refusal

  try {
    answer = await within(core.clock, longestRefresh, refresh(core, kept), 'No answer in time')
  } catch (error) {
    // Without a cookie there is no reason, and nothing to go on with
    reason = refusalOf(error, core.client.options.cookie ? 'expired' : undefined)

    if (!reason) {
      throw error
    }

    refusal = error
  }

  const isStillKept = (await core.storage.read())?.key === kept.key

  if (!answer) {
    if (isStillKept) {
      await end(core, reason!)
      throw refusal
    }
  } else if (isStillKept) {
    await keep(core, answer, askedAt)
  } else {
    discard(core, answer)
  }

  return isStillKept
}

/** An answer that came too late is not to sign anybody in again, neither here nor on the socket. */
function discard(core: Core, { accessToken }: AuthenticationResult): void {
  if (core.link) {
    core.link.signInAnew()
  } else if (!core.kept) {
    void remove(core, accessToken).catch(ignored)
  }
}
