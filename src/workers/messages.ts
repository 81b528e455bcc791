import { availableParallelism } from 'node:os'
import { inspect } from 'node:util'
import type { Configuration } from '../configuration.js'
import { ConfigurationError } from '../refresh-token/errors.js'

/** From the primary to a new worker. Not by its environment, which others can read: the secrets are in it. */
export interface Start {
  settings: Configuration
  /** The folder of the pipes between workers. */
  pipes: string
  /** Which of the workers it is, from 1; whoever replaces it is that one, too. */
  slot: number
}

/** What a worker says first: that it can be told to start. */
export const loaded = 'loaded'

/** What it says next: where it listens, or why it does not. */
export type Started = { address: string } | { failure: string; expected: boolean }

export type FromWorker = typeof loaded | Started

/** How many processes serve. */
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
  // The stack that matters is the worker's
  return expected ? new ConfigurationError(failure) : Object.assign(new Error(), { stack: failure })
}

/** A worker may send other things: Node does, when it watches files. */
export const isStarted = (message: unknown): message is Started =>
  typeof message === 'object' && message !== null && ('address' in message || 'failure' in message)
