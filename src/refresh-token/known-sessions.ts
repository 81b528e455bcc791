import type { SessionRecord } from './session.js'

/** What was said last of the sessions of a user who has connections here. */
interface Followed {
  connections: number
  /** Changes with all that is said, so that what was read before is known to be older. None is given twice. */
  version: number
  sessions: Map<string, SessionRecord>
  /** Whether these are all of the user's sessions. */
  isComplete: boolean
}

/** How what was read differs from what is known. */
export interface Differences {
  created: SessionRecord[]
  gone: SessionRecord[]
}

export type SessionEventName = 'created' | 'patched' | 'removed'

/** The sessions of the users that have connections here, as these were told of them: so each thing is told once. */
export class KnownSessions {
  readonly #users = new Map<string, Followed>()
  #lastVersion = 0

  get userIds(): string[] {
    return [...this.#users.keys()]
  }

  /** One more connection of a user. Answers whether nothing was known of its session, or of the user's other ones. */
  follow(userId: string, session: SessionRecord): boolean {
    const followed = this.#users.get(userId) ?? {
      connections: 0,
      version: ++this.#lastVersion,
      sessions: new Map<string, SessionRecord>(),
      isComplete: false
    }
    followed.connections++
    this.#users.set(userId, followed)

    if (followed.isComplete) {
      return !followed.sessions.has(session.id)
    }

    followed.sessions.set(session.id, session)
    return true
  }

  unfollow(userId: string): void {
    const followed = this.#users.get(userId)

    if (followed && --followed.connections === 0) {
      this.#users.delete(userId)
    }
  }

  /** Takes down what is about to be said. False where it has been said already. */
  note(event: SessionEventName, userId: string, session: SessionRecord): boolean {
    const followed = this.#users.get(userId)

    if (!followed) {
      return true
    }

    const { sessions, isComplete } = followed
    const isKnown = sessions.has(session.id)

    followed.version = ++this.#lastVersion

    if (event === 'removed') {
      return sessions.delete(session.id) || !isComplete
    }
    // It has ended meanwhile, or is about to be told of as a new one
    if (event === 'patched' && isComplete && !isKnown) {
      return false
    }

    sessions.set(session.id, session)
    return event === 'patched' || !isKnown
  }

  /** Undefined for a user without connections. */
  version(userId: string): number | undefined {
    return this.#users.get(userId)?.version
  }

  /** Compares all sessions of a user, as they were read, with the known ones. */
  compare(userId: string, read: SessionRecord[]): Differences {
    const { sessions, isComplete } = this.#users.get(userId)!
    const ids = new Set(read.map(({ id }) => id))
    const gone = [...sessions.values()].filter(({ id }) => !ids.has(id))

    if (!isComplete) {
      this.#complete(userId, read)
      return { created: [], gone }
    }

    return { created: read.filter(({ id }) => !sessions.has(id)), gone }
  }

  /** Of sessions that were read those whose device is known by another name. */
  renamed(userId: string, read: SessionRecord[]): SessionRecord[] {
    const sessions = this.#users.get(userId)?.sessions

    return read.filter(({ id, device }) => {
      const known = sessions?.get(id)

      return known && known.device.name !== device.name
    })
  }

  #complete(userId: string, read: SessionRecord[]): void {
    const followed = this.#users.get(userId)!

    read.forEach((session) => followed.sessions.set(session.id, session))
    followed.isComplete = true
  }
}
