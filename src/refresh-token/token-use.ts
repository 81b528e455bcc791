import { Refused, unavailable } from './errors.js'
import { hashKey, judge, openedAt } from './session.js'
import { attempts, type OwnedSession, type SessionDocuments } from './session-documents.js'
import * as updates from './session-updates.js'
import type { RefreshToken } from './token.js'

/** Uses refresh tokens. */
export class TokenUse {
  readonly #documents: SessionDocuments

  constructor(documents: SessionDocuments) {
    this.#documents = documents
  }

  /** See `SessionStore`. */
  async use(token: RefreshToken, idempotencyKey?: string): Promise<OwnedSession> {
    const key = idempotencyKey === undefined ? undefined : hashKey(token.jti, idempotencyKey)

    // Where `maxLifetime` was shortened, a session may be past it that has not expired by what it was told
    if (openedAt(token.sid) + this.#documents.settings.absoluteLife <= this.#documents.now()) {
      throw new Refused('expired')
    }

    for (let attempt = 0; attempt < attempts; attempt++) {
      const used = (await this.#firstUse(token, key)) ?? (await this.#useAgain(token, key))

      if (used) {
        return used
      }
    }

    throw unavailable()
  }

  async #firstUse(token: RefreshToken, key: string | undefined): Promise<OwnedSession | undefined> {
    const now = this.#documents.now()
    const update = this.#documents.settings.rotation
      ? updates.firstUse(token, key, this.#documents.settings, now)
      : updates.keptUse(token, now)
    const owned = await this.#documents.change(token.sub, update, { disabled: { $ne: true } })

    return owned && this.#documents.patched(token.sub, owned)
  }

  /** What is left of `use` when it was not the first: a repeat, or the end of the session. */
  async #useAgain(token: RefreshToken, key: string | undefined): Promise<OwnedSession | undefined> {
    // What a majority has, no failover can take back: nobody is judged by a write that was lost
    const { user, session } = await this.#documents.read(token.sub, token.sid, { level: 'majority' })
    const { leeway, rotation } = this.#documents.settings
    const now = this.#documents.now()
    const verdict = judge(session, token, { leeway, key, now })

    if (verdict === 'expired') {
      throw new Refused('expired')
    }
    if (verdict === 'reuse') {
      // RFC 9700 §4.14.2: the token is in two hands, and we can't tell whose are the right ones
      throw new Refused(
        (await this.#documents.pull(token.sub, updates.live(token.sid, now), 'reused')) ? 'reused' : 'revoked'
      )
    }
    if (!rotation && !session.token) {
      const owned = await this.#documents.change(token.sub, updates.keep(session, token, now))

      return owned && this.#documents.patched(token.sub, owned)
    }
    if (verdict === 'first use') {
      return undefined
    }

    const owned =
      key === undefined || session.keys.includes(key)
        ? { user, session }
        : await this.#documents.change(token.sub, updates.repeat(token, key, now))

    return owned && { ...owned, repeated: true }
  }
}
