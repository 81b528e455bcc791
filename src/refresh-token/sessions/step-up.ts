import { unavailable } from '../database-errors.js'
import { Refused } from '../errors.js'
import { openable, requireOpenable, type Credentials } from './opening.js'
import { useUp } from './gate.js'
import type { SessionRecords } from './records.js'
import { isExpired, live, type SessionRecord } from './session.js'

/**
 * Notes in a session that its user has given credentials again.
 *
 * @throws Refused `disabled`, `revoked`, `expired`, or `invalid` for a factor that was used meanwhile; GateClosed for a user with a
 *   factor; NotAuthenticated when the user is gone, or `unchanged` did not hold
 */
export async function stepUp(
  records: SessionRecords,
  userId: string,
  id: string,
  credentials: Credentials
): Promise<SessionRecord> {
  const { amr = [], used = {} } = credentials
  const now = records.now()
  const raised = await records.replace(
    userId,
    { match: live(id, now), update: { $set: { authenticatedAt: new Date(now), amr } } },
    openable(credentials),
    useUp(used)
  )

  if (raised) {
    records.changed({ userId })
    return raised.session
  }

  await requireOpenable(records, userId, credentials)
  const { session } = await records.read(userId, id)

  throw isExpired(session, records.now()) ? new Refused('expired') : unavailable()
}
