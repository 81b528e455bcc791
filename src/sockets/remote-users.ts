import { LRUCache } from 'lru-cache'
import { ObjectId } from 'mongodb'
import { setTimeout as sleep } from 'node:timers/promises'
import { hiddenFields } from '../accounts/internal.js'
import { connectionsOf, hasAdmins, signedInUsers } from '../channels.js'
import type { Application } from '../declarations.js'
import type { UserChange } from '../refresh-token/index.js'
import type { User } from '../services/users/users.schema.js'

const delay = 100 // ms: a change made here is announced by the users service first
const chunk = 500 // users read at once
const remembered = 1000 // users: more than can change here within that delay
const removed = ''

/**
 * Emits `users` events for changes that other instances made, if a connection to this one may receive them. Each change
 * is announced once.
 */
export const announceRemoteUsers = (app: Application) => {
  const { changes } = app.service('authentication').live
  const users = app.service('users')
  // What was last announced, by user
  const announced = new LRUCache<string, string>({ max: remembered })
  let isReadingAll = false

  users.on('created', (user: User) => announced.set(String(user._id), JSON.stringify(user)))
  users.on('patched', (user: User) => announced.set(String(user._id), JSON.stringify(user)))
  users.on('removed', (user: User) => announced.set(String(user._id), removed))

  changes.on('changed', (change) => {
    if (isShown(change) && (hasAdmins(app) || connectionsOf(app, change.userId).length > 0)) {
      void announce([change.userId], change.operation === 'insert' ? 'created' : 'patched')
    }
  })
  changes.on('missed', () => void announceAll())

  /** After missed changes: announces all users who are connected here, because at least their roles must be right. */
  async function announceAll(): Promise<void> {
    if (!isReadingAll) {
      isReadingAll = true
      await announce(signedInUsers(app), 'patched')
      isReadingAll = false
    }
  }

  async function announce(userIds: string[], event: 'created' | 'patched'): Promise<void> {
    for (let start = 0; start < userIds.length; start += chunk) {
      await announceChunk(userIds.slice(start, start + chunk), event)
    }
  }

  async function announceChunk(userIds: string[], event: 'created' | 'patched'): Promise<void> {
    const changed = await differing(userIds)

    // A change made here may be in the database before its call has ended, and is announced then
    for (const [userId, user] of changed.size > 0 ? await differing([...changed.keys()]) : []) {
      if (user) {
        emit(announced.has(userId) ? 'patched' : event, user)
      } else {
        emit('removed', { _id: new ObjectId(userId) })
      }
    }
  }

  /** Waits a moment, then returns the users who differ from what was last announced; undefined for deleted ones. */
  async function differing(userIds: string[]): Promise<Map<string, User | undefined>> {
    await sleep(delay, undefined, { ref: false })

    // If the database can't be reached, `missed` comes again once it is back
    const found = await read(userIds).catch(() => undefined)

    return new Map(
      (found ? userIds : [])
        .filter((userId) => isNew(userId, found!.get(userId)))
        .map((userId) => [userId, found!.get(userId)])
    )
  }

  async function read(userIds: string[]): Promise<Map<string, User>> {
    const ids = userIds.map((userId) => new ObjectId(userId))
    const found = await users.find({ query: { _id: { $in: ids } }, paginate: false })

    return new Map(found.map((user) => [String(user._id), user]))
  }

  function isNew(userId: string, user: User | undefined): boolean {
    const [connection] = connectionsOf(app, userId)
    const last = announced.get(userId) ?? (connection && JSON.stringify(connection.user))

    return (user ? JSON.stringify(user) : removed) !== last
  }

  function emit(event: 'created' | 'patched' | 'removed', data: Partial<User>): void {
    try {
      users.emit(event, data, { app, service: users, path: 'users', event, result: data, params: {} })
    } catch (error) {
      // There is no call that could fail with it
      app.get('logger').error(error, 'A listener to `users` failed')
    }
  }
}

const unseen = new RegExp(`^(sessions|password|${hiddenFields.join('|')})(\\.|$)`)

/** Whether a change is visible: those of sessions, passwords and links in mails aren't. */
function isShown({ operation, fields }: UserChange): boolean {
  return operation !== 'update' || fields.some((field) => !unseen.test(field))
}
