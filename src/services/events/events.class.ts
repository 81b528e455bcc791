import { Forbidden } from '@feathersjs/errors'
import type { Paginated, Params } from '@feathersjs/feathers'
import type { AuditEvent } from './trail/event.js'
import type { EventStore } from './trail/event-store.js'
import { isAdmin } from '../users/roles.js'
import type { EventQuery } from './events.schema.js'

export type EventParams = Params<EventQuery>

const everybody = 'all'

/** The events of the caller's account; an admin may ask for another user's with `userId`, or for `all`. */
export class EventService {
  private readonly store: EventStore
  private readonly paginate: { default: number; max: number }

  constructor(store: EventStore, paginate: { default: number; max: number }) {
    this.store = store
    this.paginate = paginate
  }

  /** A page, newest first. @throws Forbidden */
  async find(params: EventParams): Promise<Paginated<AuditEvent>> {
    const { type, $limit = this.paginate.default, $skip: skip = 0 } = params.query ?? {}
    const userId = ownerOf(params)
    const limit = Math.min($limit, this.paginate.max)
    const filter = { ...(userId !== everybody && { userId }), ...(type && { type }) }

    const { total, data } = await this.store.find(filter, { limit, skip })

    return { total, limit, skip, data: isAdmin(params.user!) ? data : data.map(withoutOthersDevice) }
  }
}

function ownerOf({ user, query }: EventParams): string {
  const own = String(user!._id)
  const asked = query?.userId?.toLowerCase() ?? own

  if (asked !== own && !isAdmin(user!)) {
    throw new Forbidden("Only an admin sees another user's events")
  }

  return asked
}

/** Hides the device of an admin who changed somebody else's account. */
function withoutOthersDevice(event: AuditEvent): AuditEvent {
  const { userId, by = userId, type } = event

  return by === userId || type === 'session-ended' ? event : { ...event, device: {} }
}
