import { ObjectId, type Collection } from 'mongodb'
import { onAttempt, type Attempt } from '../attempts.js'
import type { Application, HookContext } from '../declarations.js'
import { caseInsensitive } from '../mongodb.js'
import { toMilliseconds, type Duration } from '../refresh-token/duration.js'
import { deviceOf } from '../refresh-token/device.js'
import type { AuthenticationService } from '../refresh-token/index.js'
import { SetMap } from '../refresh-token/set-map.js'
import type { RefreshToken } from '../refresh-token/token.js'
import type { UserService } from '../services/users/users.class.js'
import type { UserPatch } from '../services/users/users.schema.js'
import { accountName } from '../validators.js'
import { deviceKey } from './device-key.js'
import type { AuditEvent, EventDraft, StoredEvent } from './event.js'
import { EventQueue } from './event-queue.js'
import { EventStore, eventsCollection } from './event-store.js'
import { FloodBounds } from './flood-bounds.js'

const longestName = 512 // characters: what is longer names nobody, and is not kept waiting

type Noted = Omit<EventDraft, '_id' | 'createdAt'>

/**
 * Notes what happens to accounts and sessions: `app.get('eventStore')`. All is written a little later, so that no request
 * waits for it or fails with it, and said as `created` of the service `events` once it is.
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
}

function noteAttempts(app: Application, note: (event: Noted) => void): void {
  onAttempt(app, (attempt) => {
    const event = attempt.kind === 'sign-in' ? ofSignIn(attempt) : ofRefresh(attempt)

    if (event) {
      note(event)
    }
  })
}

function ofSignIn({ outcome, strategy, context, error }: Attempt): Noted | undefined {
  if (outcome === 'ok') {
    const { authentication, session } = context.result!
    const { device } = session

    return {
      type: 'signed-in',
      userId: authentication.payload.sub,
      sessionId: session.id,
      strategy,
      device,
      deviceKey: deviceKey(device)
    }
  }
  if (outcome !== 'refused' && outcome !== 'disabled' && outcome !== 'limited') {
    return undefined
  }

  const account: unknown = context.data?.[context.service.configuration.local?.usernameField ?? 'email']

  return {
    type: 'sign-in-refused',
    strategy,
    reason: outcome,
    device: deviceOf(undefined, context.params),
    ...(typeof account === 'string' && account.length <= longestName && { account: accountName(account) }),
    retryAfter: (error as { data?: { retryAfter?: number } }).data?.retryAfter ?? 0
  }
}

/** Who presents a token that is in two hands; the session's end is noted besides. */
function ofRefresh({ outcome, context }: Attempt): Noted | undefined {
  if (outcome !== 'reused') {
    return undefined
  }

  const { service, data, params } = context
  const token = parsed(service, data![service.settings.field])

  // One that another package issued says nothing; that its session ended, and why, is noted all the same
  return (
    token && {
      type: 'token-reused',
      userId: token.sub,
      sessionId: token.sid,
      device: deviceOf(undefined, params)
    }
  )
}

function parsed(service: AuthenticationService, raw: unknown): RefreshToken | undefined {
  try {
    return service.parseRefreshToken(String(raw))
  } catch {
    return undefined
  }
}

function noteEnds(app: Application, note: (event: Noted) => void): void {
  app.service('authentication').sessions.on('ended', ({ userId, session, reason }) => {
    note({ type: 'session-ended', userId, sessionId: session.id, reason, device: session.device })
  })
}

function noteChanges(app: Application, note: (event: Noted) => void): void {
  const noteOf = (context: HookContext<UserService>, ...events: Pick<Noted, 'type' | 'roles'>[]) => {
    const { params, result } = context
    const by = params.user && { by: String(params.user._id) }

    for (const user of [result].flat() as { _id: unknown }[]) {
      events.forEach((event) =>
        note({ ...event, userId: String(user._id), ...by, device: deviceOf(undefined, params) })
      )
    }
  }

  app.service('users').hooks({
    after: {
      patch: [
        async (context: HookContext<UserService>) => noteOf(context, ...changes(context.data as UserPatch))
      ],
      remove: [async (context: HookContext<UserService>) => noteOf(context, { type: 'user-deleted' })]
    }
  })
}

function changes({ password, email, roles, disabled }: UserPatch): Pick<Noted, 'type' | 'roles'>[] {
  return [
    ...(password === undefined ? [] : [{ type: 'password-changed' as const }]),
    ...(email === undefined ? [] : [{ type: 'email-changed' as const }]),
    ...(roles === undefined ? [] : [{ type: 'roles-changed' as const, roles }]),
    ...(disabled === undefined
      ? []
      : [{ type: disabled ? ('user-disabled' as const) : ('user-enabled' as const) }])
  ]
}

/** Makes of drafts what is stored, stores it, and says it. */
class TrailWriter {
  readonly #app: Application
  readonly #store: EventStore
  readonly #bounds = new FloodBounds()
  // What was made of drafts that could not be stored: a second attempt is not to count them again
  readonly #made = new WeakMap<EventDraft, StoredEvent[]>()

  constructor(app: Application, store: EventStore) {
    this.#app = app
    this.#store = store
  }

  async write(drafts: EventDraft[]): Promise<void> {
    await this.#make(drafts.filter((draft) => !this.#made.has(draft)))

    const events = drafts.flatMap((draft) => this.#made.get(draft)!)

    if (events.length > 0) {
      await this.#store.insert(events)
      events.forEach((event) => this.#say(event))
    }
  }

  async #make(drafts: EventDraft[]): Promise<void> {
    const owners = await this.#ownersOf(drafts)
    const batch = new SetMap<string, string>()

    for (const draft of drafts) {
      const userId = draft.userId ?? (draft.account === undefined ? undefined : owners.get(draft.account))
      const { account: _account, retryAfter: _retryAfter, ...event } = draft
      const owned = { ...event, ...(userId !== undefined && { userId }) }
      const isNew = owned.deviceKey !== undefined && (await this.#isNewDevice(owned, batch))

      this.#made.set(
        draft,
        this.#bounds.allows({ ...draft, ...owned }) ? [owned, ...(isNew ? [newDevice(owned)] : [])] : []
      )
    }
  }

  /** The users that names belong to, for the account pages of those whose accounts are tried. */
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
   * Whether a user signed in from elsewhere before, but never from there: to the first sign-in all is new.
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

  #say({ deviceKey: _deviceKey, ...event }: StoredEvent): void {
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

function newDevice({ deviceKey: _deviceKey, ...signIn }: StoredEvent): StoredEvent {
  return { ...signIn, _id: new ObjectId(), type: 'new-device' }
}
