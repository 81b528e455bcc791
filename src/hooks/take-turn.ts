import { setTimeout as sleep } from 'node:timers/promises'
import type { HookContext, NextFunction } from '../declarations.js'

const pause = 1000 // ms before a refusal, to slow down clients that retry at once

/**
 * Around a method that hashes a password for a client: waits for the client's turn before anything expensive happens.
 *
 * @param hashes Whether a call hashes a password
 * @throws Unavailable, after a pause, if others need the place in the queue
 */
export const takeTurn =
  (hashes: (context: HookContext) => boolean = () => true) =>
  async (context: HookContext, next: NextFunction) => {
    const { app, params, data } = context
    const client = hashes(context) ? app.get('knownClients').clientOf(params, data?.device?.id) : undefined

    const end = client && (await app.get('turns').begin(client).catch(refuseLater))

    try {
      await next()
    } finally {
      end?.()
    }
  }

async function refuseLater(error: unknown): Promise<never> {
  await sleep(pause, undefined, { ref: false })
  throw error
}
