import { Forbidden, NotFound } from '@feathersjs/errors'
import type { Params } from '@feathersjs/feathers'
import {
  present,
  type EndReason,
  type Session,
  type ListedSession,
  type SessionStore
} from '../../refresh-token/index.js'
import { isAdmin } from '../users/roles.js'
import type { SessionPatch, SessionQuery } from './sessions.schema.js'

export type SessionParams = Params<SessionQuery>

/** The caller's sessions; an admin may ask for another user's with `userId`. */
export class SessionService {
  private readonly sessions: SessionStore

  constructor(sessions: SessionStore) {
    this.sessions = sessions
  }

  async find(params: SessionParams): Promise<Session[]> {
    const sessions = await this.sessions.list(ownerOf(params))

    return sessions.map(shownTo(params))
  }

  async get(id: string, params: SessionParams): Promise<Session> {
    const sessions = await this.sessions.list(ownerOf(params))

    return found(
      sessions.find((session) => session.id === id),
      params
    )
  }

  async patch(id: string, { device }: SessionPatch, params: SessionParams): Promise<Session> {
    return found(await this.sessions.rename(ownerOf(params), id, device.name), params)
  }

  async remove(id: string, params: SessionParams): Promise<Session>
  async remove(id: null, params: SessionParams): Promise<Session[]>
  async remove(id: string | null, params: SessionParams): Promise<Session | Session[]> {
    const owner = ownerOf(params)
    const by = idOf(params)
    const reason: EndReason = owner === by ? 'revoked' : 'admin'

    if (id !== null) {
      return found(await this.sessions.end(owner, id, reason, by), params)
    }

    const except = params.query?.current === false ? params.session?.id : undefined
    const ended = await this.sessions.endAll(owner, reason, { except, by })

    return (ended ?? []).map(shownTo(params))
  }
}

function ownerOf(params: SessionParams): string {
  const own = idOf(params)
  const asked = params.query?.userId?.toLowerCase() ?? own

  if (asked !== own && !isAdmin(params.user!)) {
    throw new Forbidden("Only an admin sees another user's sessions")
  }

  return asked
}

const idOf = ({ user }: SessionParams): string => String(user!._id)

const shownTo =
  ({ session }: SessionParams) =>
  (record: ListedSession): Session =>
    present(record, session?.id)

/** An unknown id and another user's get the same answer, which doesn't tell whether the session exists. */
function found(session: ListedSession | null | undefined, params: SessionParams): Session {
  if (!session) {
    throw new NotFound('There is no such session')
  }

  return shownTo(params)(session)
}
