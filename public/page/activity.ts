import type { Client, User } from './client.js'
import { part } from './dom.js'
import { eventList, showAge } from './events.js'

const tickEvery = 15_000 // ms: the times are in minutes

/** What happened to the own account; it looks again when the page hears of something, or is looked at. */
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

  function heard(looks?: number): void {
    if (userId !== undefined) {
      list.soon(looks)
    }
  }

  return {
    /** Fetches the list a moment later, when the sign-in that has led here is in it. */
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
