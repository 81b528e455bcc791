import { ObjectId } from 'mongodb'
import type { Application } from '../../../declarations.js'
import { caseInsensitive } from '../../../database/indexes.js'
import { SetMap } from '../../../refresh-token/internal.js'
import { accountName } from '../../users/account-name.js'
import type { AuditEvent, EventDraft, StoredEvent } from './event.js'
import type { EventStore } from './event-store.js'
import { FloodBounds } from './flood-bounds.js'

/** Completes drafts, stores the resulting events and emits them. */
export class TrailWriter {
  readonly #app: Application
  readonly #store: EventStore
  readonly #bounds = new FloodBounds()
  // The events of drafts that could not be stored, so that a second attempt doesn't count them again
  readonly #made = new WeakMap<EventDraft, StoredEvent[]>()

  constructor(app: Application, store: EventStore) {
    this.#app = app
    this.#store = store
  }

  async write(drafts: EventDraft[]): Promise<void> {
    await this.#make(drafts)

    const events = drafts.flatMap((draft) => this.#made.get(draft)!)

    if (events.length > 0) {
      await this.#store.insert(events)
      events.forEach((event) => this.#emit(event))
    }
  }

  async #make(drafts: EventDraft[]): Promise<void> {
    const batch = new SetMap<string, string>()
    const isNew = (draft: EventDraft) => !this.#made.has(draft)
    const owners = await this.#ownersOf(drafts.filter(isNew))

    for (const { userId, deviceKey: key } of drafts.flatMap((draft) => this.#made.get(draft) ?? [])) {
      if (key !== undefined) {
        batch.add(userId!, key)
      }
    }

    for (const draft of drafts.filter(isNew)) {
      const userId = draft.userId ?? (draft.account === undefined ? undefined : owners.get(draft.account))
      const { account: _account, retryAfter: _retryAfter, ...event } = draft
      const owned = { ...event, ...(userId !== undefined && { userId }) }
      const isNewDevice = owned.deviceKey !== undefined && (await this.#isNewDevice(owned, batch))

      this.#made.set(
        draft,
        this.#bounds.allows({ ...draft, ...owned }) ? [owned, ...(isNewDevice ? [newDevice(owned)] : [])] : []
      )
    }
  }

  /** The ids of the users whose names were given, so that they see who tried to sign in. */
  async #ownersOf(drafts: EventDraft[]): Promise<Map<string, string>> {
    const accounts = [...new Set(drafts.flatMap(({ account }) => account ?? []))]

    if (accounts.length === 0) {
      return new Map()
    }

    const { local } = this.#app.service('authentication').configuration
    const field: string = local?.entityUsernameField ?? local?.usernameField ?? 'email'
    const users = await this.#app
      .get('database')
      .collection('users')
      .find({ [field]: { $in: accounts } }, { collation: caseInsensitive, projection: { [field]: 1 } })
      .toArray()

    return new Map(users.map((user) => [accountName(String(user[field])), String(user._id)]))
  }

  /**
   * Whether a user has signed in before, but never from that device: the first device of all is not reported as new.
   *
   * @param batch The devices of sign-ins that are not stored yet, by user
   */
  async #isNewDevice(
    { userId, deviceKey: key }: StoredEvent,
    batch: SetMap<string, string>
  ): Promise<boolean> {
    const inBatch = batch.get(userId!)
    const isNew =
      !inBatch.includes(key!) &&
      !(await this.#store.hasSignedIn(userId!, key)) &&
      (inBatch.length > 0 || (await this.#store.hasSignedIn(userId!)))

    batch.add(userId!, key!)
    return isNew
  }

  #emit({ deviceKey: _deviceKey, network: _network, ...event }: StoredEvent): void {
    const service = this.#app.service('events')
    const data: AuditEvent = event

    try {
      service.emit('created', data, {
        app: this.#app,
        service,
        path: 'events',
        event: 'created',
        result: data,
        params: {}
      })
    } catch (error) {
      this.#app.get('logger').error(error, 'A listener to `events` failed')
    }
  }
}

function newDevice({ deviceKey: _deviceKey, network: _network, ...signIn }: StoredEvent): StoredEvent {
  return { ...signIn, _id: new ObjectId(), type: 'new-device' }
}
