import { availableParallelism } from 'node:os'
import { inspect } from 'node:util'
import type { Configuration } from '../../configuration.js'
import { ConfigurationError } from '../../refresh-token/index.js'

/** Sent by the primary to a new worker. Contains the secrets, so the environment, which others can read, won't do. */
export interface Start {
  settings: Configuration
  /** The folder of the pipes between the workers. */
  pipes: string
  /** The number of the worker, from 1. Its replacement has the same. */
  slot: number
}

/** The first message of a worker: it is ready to be started. */
export const loaded = 'loaded'

/** The second message: where it listens, or why it doesn't. */
export type Started = { address: string } | { failure: string; expected: boolean }

export type FromWorker = typeof loaded | Started

/** The number of worker processes. */
export function workerCount(setting: Configuration['workers']): number {
  return setting === 'auto' ? availableParallelism() : setting
}

export function toFailure(error: unknown): Started {
  return error instanceof ConfigurationError
    ? { failure: error.message, expected: true }
    : { failure: inspect(error), expected: false }
}

/** The error of a worker, as the primary throws it. */
export function toError({ failure, expected }: { failure: string; expected: boolean }): Error {
  // The worker's stack is the one that matters
  return expected ? new ConfigurationError(failure) : Object.assign(new Error(), { stack: failure })
}

/** Workers may send other messages: Node.js does when it watches files. */
export const isStarted = (message: unknown): message is Started =>
  typeof message === 'object' && message !== null && ('address' in message || 'failure' in message)
