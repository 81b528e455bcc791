import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Configuration } from '../configuration.js'
import type { Logger } from '../logger.js'
import { serveMetrics, type MetricsServer } from '../metrics/server.js'
import { ConfigurationError } from '../refresh-token/errors.js'
import type { RunningServer } from '../server.js'
import { isStarted, loaded, toError, type Start } from './messages.js'
import { gatherMetrics } from './metrics.js'

const patience = 15_000 // ms: a worker gives requests in flight 5 s, and then has to end
const firstPause = 250 // ms before a worker is replaced that died right after its start; doubled each time
const longestPause = 30_000 // ms
const settled = 60_000 // ms: one that lived longer is replaced at once

/** A process that serves, or is about to. */
interface RunningWorker {
  address: string
  /** Settles with how it ended: `SIGKILL`, `exit code 1`. */
  ended: Promise<string>
}

/**
 * Serves from several processes at one address. Each has an app of its own; the kernel's connections are handed to them
 * in turn. One that dies is replaced.
 *
 * @throws ConfigurationError when the first of them do not all start: the reason of one of them
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

  // The worker beside this file, be that built or not
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

/** Replaces a worker whenever it ends, until told to stop. */
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

/** @throws ConfigurationError, or what else the worker said, when it ends before it listens */
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
      // One that runs did not live to get a message, and says how it ended; of one that does not nothing else is heard
      if (worker.process.pid === undefined) reject(error)
    })
  })

  return { address: await said, ended }
}

const workers = (): Worker[] => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)

/** Lets a worker finish, and ends it the hard way when that takes too long. */
async function stopWorker({ process: child }: Worker): Promise<void> {
  // One that could not even be made never ends
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
    return
  }

  const exited = once(child, 'exit')

  child.kill('SIGTERM')
  const hard = setTimeout(() => child.kill('SIGKILL'), patience)

  await exited
  clearTimeout(hard)
}
