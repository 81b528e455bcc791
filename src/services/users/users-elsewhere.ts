import { LRUCache } from 'lru-cache'
import { ObjectId } from 'mongodb'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectionsOf, hasAdmins, signedInUsers } from '../../channels.js'
import type { Application } from '../../declarations.js'
import type { UserChange } from '../../refresh-token/index.js'
import type { User } from './users.schema.js'

const patience = 100 // ms: whoever changed a user here says so right after
const chunk = 500 // users read at once
const remembered = 1000 // users: as many as may be changed here within that time
const removed = ''

/** Says `users` events of what other instances did, to whoever hears them here. Each is said once. */
export const usersElsewhere = (app: Application) => {
  const { changes } = app.service('authentication').live
  const users = app.service('users')
  // What was said last of a user
  const said = new LRUCache<string, string>({ max: remembered })
  let isReadingAll = false

  users.on('created', (user: User) => said.set(String(user._id), JSON.stringify(user)))
  users.on('patched', (user: User) => said.set(String(user._id), JSON.stringify(user)))
  users.on('removed', (user: User) => said.set(String(user._id), removed))

  changes.on('changed', (change) => {
    if (isShown(change) && (hasAdmins(app) || connectionsOf(app, change.userId).length > 0)) {
      void look([change.userId], change.operation === 'insert' ? 'created' : 'patched')
    }
  })
  changes.on('missed', () => void lookAtAll())

  /** Of those who are here the roles, at least, have to be right. */
  async function lookAtAll(): Promise<void> {
    if (!isReadingAll) {
      isReadingAll = true
      await look(signedInUsers(app), 'patched')
      isReadingAll = false
    }
  }

  async function look(userIds: string[], event: 'created' | 'patched'): Promise<void> {
    for (let start = 0; start < userIds.length; start += chunk) {
      await lookAt(userIds.slice(start, start + chunk), event)
    }
  }

  async function lookAt(userIds: string[], event: 'created' | 'patched'): Promise<void> {
    await sleep(patience, undefined, { ref: false })

    // Without a database it is looked at again once that is back
    const found = await read(userIds).catch(() => undefined)

    for (const userId of found ? userIds : []) {
      compare(userId, found!.get(userId), event)
    }
  }

  async function read(userIds: string[]): Promise<Map<string, User>> {
    const ids = userIds.map((userId) => new ObjectId(userId))
    const found = await users.find({ query: { _id: { $in: ids } }, paginate: false })

    return new Map(found.map((user) => [String(user._id), user]))
  }

  function compare(userId: string, user: User | undefined, event: 'created' | 'patched'): void {
    const [connection] = connectionsOf(app, userId)
    const known = said.get(userId) ?? (connection && JSON.stringify(connection.user))

    if (!user && known !== removed) {
      say('removed', { _id: new ObjectId(userId) })
    }
    if (user && JSON.stringify(user) !== known) {
      say(event, user)
    }
  }

  function say(event: 'created' | 'patched' | 'removed', data: Partial<User>): void {
    try {
      users.emit(event, data, { app, service: users, path: 'users', event, result: data, params: {} })
    } catch (error) {
      // Nobody waits for it whose call could fail
      app.get('logger').error(error, 'A listener to `users` failed')
    }
  }
}

/** Sessions and passwords are nobody's business. */
function isShown({ operation, fields }: UserChange): boolean {
  return operation !== 'update' || fields.some((field) => !/^(sessions|password)(\.|$)/.test(field))
}
