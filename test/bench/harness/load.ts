import { fork } from 'node:child_process'
import { join } from 'node:path'
import { callerOf } from './calls.js'
import type { Tokens } from './minted.js'

/**
 * What is asked again and again: a refresh, an authenticated GET, the user about itself, a call over a socket, a sign-in, a
 * trivial GET.
 */
export type Kind = 'refresh' | 'read' | 'user' | 'socket' | 'login' | 'health'

export interface Load {
  kind: Kind
  address: string
  /** How many ask at once. */
  sessions: number
  /** ms */
  duration: number
  /** Requests after which it ends sooner. */
  most?: number
  /** ms between an answer and the next request */
  pause?: number
  /** Whether all sessions that the driver has take turns, and not only so many of them ask. */
  turns?: boolean
}

export interface Outcome {
  requests: number
  seconds: number
  /** Latencies, ms. */
  p50: number
  p99: number
  worst: number
}

export interface Driver {
  pid: number
  /** Signs so many users of a service in. */
  signIn(address: string, sessions: number): Promise<void>
  /** Takes the place of the sessions so far. */
  adopt(address: string, tokens: Tokens[]): Promise<void>
  /** One call of each session, so many at a time. */
  each(load: Omit<Load, 'duration'>): Promise<void>
  /** Opens a socket for each of so many sessions. */
  connect(address: string, sessions: number): Promise<void>
  /** Closes them. */
  disconnect(address: string): Promise<void>
  run(load: Load): Promise<Outcome>
  stop(): void
}

/** Starts a process that drives services. */
export function startDriver(): Driver {
  const child = fork(join(import.meta.dirname, 'driver.ts'))
  const call = callerOf(child)

  return {
    pid: child.pid!,
    signIn: (address, sessions) => call('signIn', { address, sessions }),
    adopt: (address, sessions) => call('adopt', { address, sessions }),
    each: (load) => call('each', load),
    connect: (address, sessions) => call('connect', { address, sessions }),
    disconnect: (address) => call('disconnect', address),
    run: (load) => call('run', load),
    stop: () => child.kill()
  }
}
