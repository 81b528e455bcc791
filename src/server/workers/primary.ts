import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Configuration } from '../../configuration.js'
import type { Logger } from '../../logger.js'
import { serveMetrics, type MetricsServer } from '../../metrics/server.js'
import { ConfigurationError } from '../../refresh-token/index.js'
import type { RunningServer } from '../start.js'
import { isStarted, loaded, toError, type Start } from './messages.js'
import { gatherMetrics } from './metrics.js'

const killAfter = 15_000 // ms: a worker gives requests in flight 5 s, and should then end
const firstPause = 250 // ms before a worker that died soon after its start is replaced; doubled each time
const longestPause = 30_000 // ms
const settled = 60_000 // ms: a worker that lived longer is replaced at once

/** A worker that listens. */
interface RunningWorker {
  address: string
  /** Settles with how it ended: `SIGKILL`, `exit code 1`. */
  ended: Promise<string>
}

/**
 * Serves from several processes at one address. Each has an app of its own and gets the connections in turn. A worker
 * that dies is replaced.
 *
 * @throws ConfigurationError unless all of them start, with the reason of one that doesn't
 */
export async function startWorkers(
  settings: Configuration,
  count: number,
  logger: Logger
): Promise<RunningServer> {
  const pipes = await mkdtemp(join(tmpdir(), 'moult-workers-'))
  const stopping = new AbortController()
  const scrape = settings.metrics && gatherMetrics()
  let metricsServer: MetricsServer | undefined

  const stop = async (supervisions: Promise<void>[] = []) => {
    stopping.abort()
    await metricsServer?.close()
    await Promise.all([...workers().map(stopWorker), ...supervisions])
    await rm(pipes, { recursive: true, force: true })
  }

  // The worker beside this file, in src/ or in lib/
  cluster.setupPrimary({ exec: join(import.meta.dirname, `worker${extname(import.meta.filename)}`) })

  try {
    const starts = Array.from({ length: count }, (_, index) => ({ settings, pipes, slot: index + 1 }))
    const first = await Promise.all(starts.map(startWorker))
    const supervisions = first.map((worker, index) =>
      supervise(worker, starts[index]!, logger, stopping.signal)
    )
    const { address } = first[0]!

    if (settings.metrics && settings.metrics.port !== undefined) {
      metricsServer = await serveMetrics(settings.metrics, scrape as () => Promise<string>)
      logger.info(metricsServer.sentence)
    }

    return { address, stop: () => stop(supervisions) }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Replaces a worker whenever it ends, until it is told to stop. */
async function supervise(
  worker: RunningWorker,
  start: Start,
  logger: Logger,
  stopping: AbortSignal
): Promise<void> {
  let current: RunningWorker | undefined = worker
  let pause = 0 // ms
  let how = ''

  while (!stopping.aborted) {
    const since = Date.now()

    if (current) {
      how = await current.ended
      pause = Date.now() - since > settled ? 0 : pause
    }
    if (!stopping.aborted) {
      logger.warn(`A worker ended (${how}): starting another${pause ? ` in ${pause / 1000} s` : ''}`)
      await sleep(pause, undefined, { signal: stopping }).catch(() => {})
      pause = Math.min(pause * 2 || firstPause, longestPause)
    }
    if (!stopping.aborted) {
      current = await startWorker(start).catch((error: Error) => {
        how = error.message
        return undefined
      })
    }
  }
}

/** @throws ConfigurationError, or the failure that the worker reported, when it ends before it listens */
async function startWorker(start: Start): Promise<RunningWorker> {
  const worker = cluster.fork()
  const ended = new Promise<string>((resolve) => {
    worker.once('exit', (code: number, signal?: string) => resolve(signal || `exit code ${code}`))
  })

  const said = new Promise<string>((resolve, reject) => {
    worker.on('message', (message: unknown) => {
      if (message === loaded) {
        worker.send(start)
      } else if (isStarted(message)) {
        if ('address' in message) resolve(message.address)
        else reject(toError(message))
      }
    })
    void ended.then((how) =>
      reject(new ConfigurationError(`a worker ended at its start (${how}): set WORKERS to fewer`))
    )
    worker.on('error', (error) => {
      // Only if it could not be started: otherwise a message failed to reach it, and `exit` tells how it ended
      if (worker.process.pid === undefined) reject(error)
    })
  })

  return { address: await said, ended }
}

const workers = (): Worker[] => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)

/** Stops a worker, and kills it if that takes too long. */
async function stopWorker({ process: child }: Worker): Promise<void> {
  // A worker that could not be started emits no `exit`
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
    return
  }

  const exited = once(child, 'exit')

  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), killAfter)

  await exited
  clearTimeout(timer)
}
