import { NotAuthenticated } from '@feathersjs/errors'
import { randomUUID } from 'node:crypto'
import type { Document } from 'mongodb'
import { Refused, unavailable } from './errors.js'
import { displaced, expiryOf, newKeptToken, type Device, type SessionRecord } from './session.js'
import { attempts, type SessionDocuments } from './session-documents.js'
import * as updates from './session-updates.js'
import type { OwnerFilter } from './user-documents.js'

/** What a login asks for. */
export interface NewSession {
  id: string
  strategy: string
  device: Device
  /** When the session of a login that gets no refresh token expires; with one, the settings say. */
  expiresAt?: Date
  /** Opened only while the user document still has these values: the password that was verified, say. */
  unchanged?: OwnerFilter
}

/** Opens the sessions of logins. */
export class SessionOpening {
  readonly #documents: SessionDocuments

  constructor(documents: SessionDocuments) {
    this.#documents = documents
  }

  /** See `SessionStore`. */
  async open(userId: string, login: NewSession): Promise<SessionRecord> {
    const reusable = this.#reusableBy(login)

    for (let attempt = 0; attempt < attempts; attempt++) {
      const reused = reusable && (await this.#reopen(userId, login, reusable))
      const session = reused ?? (await this.#insert(userId, login, reusable))

      if (session) {
        return session
      }

      await this.#requireOpenable(userId, login)
    }

    throw unavailable()
  }

  /** Which stored token a login may be answered with; undefined where it has to open a session of its own. */
  #reusableBy({ device, expiresAt }: NewSession): Document | undefined {
    const { rotation, reuse, refreshTokens } = this.#documents.settings

    if (rotation || expiresAt || reuse === 'never' || (reuse === 'device' && device.id === undefined)) {
      return undefined
    }

    return {
      expiresAt: { $gt: new Date(this.#documents.now()) },
      'token.kid': { $in: [...refreshTokens.keyring.byId.keys()] },
      ...(reuse === 'device' && { 'device.id': device.id })
    }
  }

  async #reopen(userId: string, login: NewSession, reusable: Document): Promise<SessionRecord | undefined> {
    const device = this.#documents.settings.reuse === 'device' ? login.device : {}
    const update = updates.reopened(reusable, device, this.#documents.now())
    const owned = await this.#documents.change(userId, update, {
      ...login.unchanged,
      disabled: { $ne: true }
    })

    return owned && this.#documents.patched(userId, owned).session
  }

  async #insert(userId: string, login: NewSession, reusable?: Document): Promise<SessionRecord | undefined> {
    const { maxSessions, reuse } = this.#documents.settings
    const now = this.#documents.now()
    const session = this.#record(login, now)
    // A login without a refresh token does not take the place of one that has it
    const deviceId = reuse === 'never' || login.expiresAt ? undefined : login.device.id
    const before = await this.#documents.users.update(
      {
        ...this.#documents.users.is(userId),
        ...login.unchanged,
        disabled: { $ne: true },
        ...(reusable && { sessions: { $not: { $elemMatch: reusable } } })
      },
      updates.insertion(session, { deviceId, maxSessions, now }),
      { returnDocument: 'before', projection: { sessions: 1 } }
    )

    if (!before) {
      return undefined
    }

    this.#documents.ended(userId, displaced(before.sessions ?? [], { deviceId, maxSessions, now }))
    this.#documents.announce('created', { userId, session })
    return session
  }

  #record({ id, strategy, device, expiresAt }: NewSession, now: number): SessionRecord {
    const { rotation, refreshTokens } = this.#documents.settings
    const renewable = expiresAt === undefined

    return {
      id,
      strategy,
      device,
      renewable,
      used: randomUUID(),
      keys: [],
      ...(renewable && !rotation && { token: newKeptToken(refreshTokens.keyring.newest.kid, now) }),
      createdAt: new Date(now),
      refreshedAt: new Date(now),
      expiresAt: expiresAt ?? expiryOf(id, this.#documents.settings, now)
    }
  }

  /** Why no session could be opened; nothing where it was only another login that was faster. */
  async #requireOpenable(userId: string, { unchanged }: NewSession): Promise<void> {
    const user = await this.#documents.users.find(
      { ...this.#documents.users.is(userId), ...unchanged },
      { projection: { disabled: 1 } }
    )

    if (!user) {
      throw new NotAuthenticated('Invalid login')
    }
    if (user.disabled) {
      throw new Refused('disabled')
    }
  }
}
