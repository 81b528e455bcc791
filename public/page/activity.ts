import type { Client, User } from './client.js'
import { part } from './dom.js'
import { eventList, showAge } from './events.js'

const tickEvery = 15_000 // ms: times are shown in minutes

/** Events of the user's own account. Reloads after each live event, and when the page becomes visible. */
export function activity(app: Client) {
  const kind = part<HTMLSelectElement>('kind')
  const list = eventList(app, () => (kind.value ? { type: kind.value } : {}))
  const sessions = app.service('sessions')
  let userId: string | undefined

  part('activity').append(list.element)
  kind.addEventListener('change', () => list.restart())
  sessions.on('created', () => heard())
  sessions.on('removed', () => heard())
  app.service('users').on('patched', ({ _id }: User) => _id === userId && heard())
  document.addEventListener('visibilitychange', () => document.hidden || heard(1))
  setInterval(() => document.querySelectorAll('time').forEach(showAge), tickEvery)

  function heard(reloads?: number): void {
    if (userId !== undefined) {
      list.soon(reloads)
    }
  }

  return {
    /** Loads the list after a moment, so that it includes the sign-in that opened this page. */
    load({ _id }: User): void {
      userId = _id
      heard()
    },
    clear(): void {
      userId = undefined
      kind.value = ''
      list.clear()
    }
  }
}
