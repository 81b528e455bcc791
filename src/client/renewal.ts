import { NotAuthenticated, refusalOf } from './answers.js'
import type { Core } from './core.js'
import { refresh } from './requests.js'
import { inTime } from './time.js'
import { tryLater } from './schedule.js'
import { newKey, type Kept } from './session-storage.js'
import { adopt, end, keep } from './session.js'

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
  if (core.client.options.cookie && !core.kept && !(await core.left.read())) {
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
  const isStillKept = async () => (await core.storage.read())?.key === kept.key && core.kept === kept

  try {
    const answer = await inTime(core.clock, refresh(core, kept))

    if (await isStillKept()) {
      await keep(core, answer, askedAt)
      return true
    }

    // It came too late: it is not to sign anybody in again, the socket neither
    core.link?.signInAnew()
  } catch (error) {
    // Without a cookie there is no reason, and nothing to go on with
    const reason = refusalOf(error, core.client.options.cookie && 'expired')

    if (!reason) {
      throw error
    }
    if (await isStillKept()) {
      await end(core, reason)
      throw error
    }
  }

  return false
}
