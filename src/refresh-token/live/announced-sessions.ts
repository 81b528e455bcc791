import type { SessionRecord } from '../sessions/session.js'

/** A user who has connections here, and the sessions that were announced to them. */
interface FollowedUser {
  connections: number
  /** Changes with every announcement, to show that a read began before it. Never used twice. */
  version: number
  sessions: Map<string, SessionRecord>
  /** Whether these are all of the user's sessions. */
  isComplete: boolean
}

/** How the sessions in the database differ from the announced ones. */
export interface Differences {
  created: SessionRecord[]
  gone: SessionRecord[]
}

export type SessionEventName = 'created' | 'patched' | 'removed'

/** The sessions that were announced to the connections here, so that each change is announced once. */
export class AnnouncedSessions {
  readonly #users = new Map<string, FollowedUser>()
  #lastVersion = 0

  get userIds(): string[] {
    return [...this.#users.keys()]
  }

  /** Adds a connection of a user. Returns whether its session, or some other one of the user, was not announced yet. */
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

  /** Records an announcement. Returns false when it was made before. */
  note(event: SessionEventName, userId: string, session: SessionRecord): boolean {
    const followed = this.#users.get(userId)

    if (!followed) {
      return true
    }

    const { sessions, isComplete } = followed
    const isAnnounced = sessions.has(session.id)

    followed.version = ++this.#lastVersion

    if (event === 'removed') {
      return sessions.delete(session.id) || !isComplete
    }
    // The session has ended meanwhile, or is about to be announced as a new one
    if (event === 'patched' && isComplete && !isAnnounced) {
      return false
    }

    sessions.set(session.id, session)
    return event === 'patched' || !isAnnounced
  }

  /** The version of a user's announcements; undefined for a user without connections. */
  version(userId: string): number | undefined {
    return this.#users.get(userId)?.version
  }

  /** Compares all sessions of a user, as they were read, with the announced ones. */
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

  /** Those of the sessions that were read whose device was announced under another name. */
  renamed(userId: string, read: SessionRecord[]): SessionRecord[] {
    const sessions = this.#users.get(userId)?.sessions

    return read.filter(({ id, device }) => {
      const announced = sessions?.get(id)

      return announced && announced.device.name !== device.name
    })
  }

  #complete(userId: string, read: SessionRecord[]): void {
    const followed = this.#users.get(userId)!

    read.forEach((session) => followed.sessions.set(session.id, session))
    followed.isComplete = true
  }
}
