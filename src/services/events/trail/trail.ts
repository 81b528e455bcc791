import { ObjectId, type Collection } from 'mongodb'
import type { Application } from '../../../declarations.js'
import { toMilliseconds, type Duration } from '../../../refresh-token/internal.js'
import type { EventDraft, Noted, StoredEvent } from './event.js'
import { EventQueue } from './event-queue.js'
import { EventStore, eventsCollection } from './event-store.js'
import { noteAttempts } from './note-attempts.js'
import { noteAccountChanges, noteChanges, noteEnds, noteFactorChanges } from './note-changes.js'
import { TrailWriter } from './trail-writer.js'

/**
 * Notes what happens to accounts and sessions, in `app.get('eventStore')`. Events are written a little later, so that no
 * request waits or fails because of them, and then emitted as `created` by the service `events`.
 */
export const auditTrail = (app: Application) => {
  const collection = app.get('database').collection(eventsCollection) as unknown as Collection<StoredEvent>
  const store = new EventStore(collection, toMilliseconds((app.get('events') as { keep: Duration }).keep)!)
  const writer = new TrailWriter(app, store)
  const queue = new EventQueue<EventDraft>((drafts) => writer.write(drafts), app.get('logger'))
  const note = (event: Noted) =>
    queue.add({ ...event, _id: new ObjectId(), createdAt: new Date(app.get('now')()) })

  app.set('eventStore', store)
  app.set('eventQueue', queue)
  app.get('database').beforeClose(() => queue.close())
  app.hooks({
    setup: [
      async (_context: unknown, next: () => Promise<void>) => {
        await next()
        store.prepare().catch(() => {}) // the first write tries again
      }
    ]
  })

  noteAttempts(app, note)
  noteEnds(app, note)
  noteChanges(app, note)
  noteAccountChanges(app, note)
  noteFactorChanges(app, note)
}

declare module '../../../declarations.js' {
  interface Configuration {
    /** The audit trail; only with the setting `events`. */
    eventStore: EventStore
    /** Events not yet written to it; only with the setting `events`. */
    eventQueue: EventQueue<EventDraft>
  }
}
