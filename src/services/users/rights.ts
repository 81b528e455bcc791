import { Forbidden, NotFound } from '@feathersjs/errors'
import type { Document } from 'mongodb'
import { isAdmin } from './roles.js'
import type { User, UserPatch } from './users.schema.js'

const forAdmins = ['roles', 'disabled'] as const

/** A change of a user by a client. */
export interface Change {
  /** The id of the user that is changed or removed. */
  id: string
  /** What a patch changes. */
  data?: UserPatch
}

/** The user who makes a change, and the conditions for writing it. */
export interface Caller {
  id: string
  sessionId: string | undefined
  /** What the caller's document must still match. */
  filter: Document
  /** Checks the caller's rights again. @throws Refused, Forbidden or NotFound */
  recheck: () => Promise<void>
}

/** Whether only an admin may make a change: of another user, or of fields that users can't change themselves. */
export const needsAdmin = (callerId: string, { id, data }: Change): boolean =>
  id !== callerId || forbiddenIn(data) !== undefined

/** @throws NotFound for another user, Forbidden for a field, unless the caller is an admin */
export function requireRights(caller: Pick<User, '_id' | 'roles'>, { id, data }: Change): void {
  if (isAdmin(caller)) {
    return
  }
  if (id !== String(caller._id)) {
    throw new NotFound(`No record found for id '${id}'`)
  }

  const forbidden = forbiddenIn(data)

  if (forbidden) {
    throw new Forbidden(`Only an admin changes '${forbidden}'`)
  }
}

const forbiddenIn = (data: UserPatch = {}) => forAdmins.find((field) => data[field] !== undefined)
