import type { RealTimeConnection } from '@feathersjs/feathers'
import type { AuthenticationService } from '../authentication-service.js'
import type { SessionRecord } from '../sessions/session.js'

/** Ends the session of a login that was refused later, and signs the socket out, which stays connected. */
export async function undoLogin(
  service: AuthenticationService,
  connection: RealTimeConnection | undefined,
  userId: string,
  { id }: SessionRecord
): Promise<void> {
  if (connection?.session?.id === id) {
    await service.handleConnection('logout', connection, connection.authentication)
  }

  await service.sessions.end(userId, id, 'logout')
}
