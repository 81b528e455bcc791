import type { TestApp } from './app.js'
import { poll } from './socket.js'

/** Waits until all that happened so far is in the audit trail. */
export const written = ({ app }: TestApp) =>
  poll(() => app.get('eventQueue').length === 0 || undefined, 'the audit trail', 20_000)
