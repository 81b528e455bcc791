import { Session } from 'node:inspector/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isMainThread } from 'node:worker_threads'
import { answerCalls } from './calls.js'

// Loaded into each service before its own program, which knows nothing of it: says what the process spends.

const delay = monitorEventLoopDelay({ resolution: 1 })
const inspector = new Session()

/** The user's and the system's CPU time of all threads so far, s. */
function cpu(): number {
  const { user, system } = process.cpuUsage()

  return (user + system) / 1e6
}

/** Bytes in memory, with what can be collected left out. */
function memory(): { rss: number; heap: number } {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()

  const { rss, heapUsed } = process.memoryUsage()

  return { rss, heap: heapUsed }
}

async function startProfile(): Promise<void> {
  inspector.connect()
  await inspector.post('Profiler.enable')
  await inspector.post('Profiler.setSamplingInterval', { interval: 200 }) // µs
  await inspector.post('Profiler.start')
}

async function stopProfile(): Promise<unknown> {
  const { profile } = await inspector.post('Profiler.stop')

  inspector.disconnect()
  return profile
}

if (isMainThread && process.send) {
  answerCalls({
    cpu,
    memory,
    rss: () => process.memoryUsage.rss(),
    watchLoop: () => {
      delay.reset()
      delay.enable()
    },
    loopDelay: () => {
      delay.disable()
      // ns, of which the resolution of 1 ms is the timer's own
      return { p50: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 }
    },
    startProfile,
    stopProfile
  })
}
