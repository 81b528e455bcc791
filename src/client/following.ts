import { ignored } from './time.js'
import type { Core } from './core.js'
import { renew } from './renewal.js'
import { adopt, end } from './session.js'

/** Does what another tab did: told by it, or seen in the storage. */
export async function follow(core: Core): Promise<void> {
  const { storage, tabs } = core

  // An app that never asked who is signed in is not told. What replaces our own key is for us, even if the storage does not show it yet
  if (core.client.app.get('authentication') === undefined || adopt(core, 'from', core.kept?.key)) {
    return
  }

  const kept = await storage.read()

  if (kept?.key === core.kept?.key || adopt(core, 'key', kept?.key)) {
    return
  }
  if (!kept) {
    await tabs.hears(null)

    if (!(await storage.read())) {
      await end(core, tabs.news?.reason ?? null)
    }
  } else if (!(await tabs.hears(kept.key))) {
    await renew(core).catch(ignored)
  }
}
