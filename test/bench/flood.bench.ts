import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as later } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { withApp } from '../support/app.js'
import { newPerson } from '../support/people.js'
import { connect } from '../support/socket.js'

// How long a call of a quiet socket takes while another one floods, with `callsPerSocket` and without. The flood runs
// in a process of its own, so that what is measured is the service; each sample is one call after a pause.

const samples = 60
const pause = 50 // ms
const atOnce = 2000 // calls that the flood has on their way at any time

interface Flood {
  address: string
  accessToken: string
}

const [address, accessToken] = process.argv.slice(2).filter((word) => !word.startsWith('-'))

if (address && accessToken) {
  await flood({ address, accessToken })
} else {
  await bench()
}

async function bench(): Promise<void> {
  const rows = {
    'nobody floods': await quietLatency({ floods: false }),
    'a flood, 4 calls at once': await quietLatency({ floods: true }),
    'a flood, 16 calls at once': await quietLatency({ floods: true, callsPerSocket: 16 }),
    'a flood, no limit': await quietLatency({ floods: true, callsPerSocket: 1_000_000 })
  }

  console.log('Latency of a call on a quiet socket, ms')
  console.table(rows)
}

async function quietLatency({ floods, callsPerSocket = 4 }: { floods: boolean; callsPerSocket?: number }) {
  return withApp({ settings: { limits: { callsPerSocket } } }, async (t) => {
    const { accessToken } = await newPerson(t)
    const quiet = await connect(t.address)

    await quiet.call('create', 'authentication', { strategy: 'jwt', accessToken })

    const flooding = floods ? await startFlood({ address: t.address, accessToken }) : undefined
    const times: number[] = []

    for (let sample = 0; sample < samples; sample++) {
      const start = performance.now()

      await quiet.call('find', 'sessions').catch(() => {})
      times.push(performance.now() - start)
      await later(pause)
    }

    flooding?.kill()
    quiet.close()
    times.sort((a, b) => a - b)

    const at = (share: number) =>
      Number(times[Math.min(times.length - 1, Math.floor(times.length * share))]!.toFixed(1))

    return { median: at(0.5), p95: at(0.95), worst: at(1) }
  })
}

async function startFlood({ address, accessToken }: Flood): Promise<ChildProcess> {
  const child = fork(fileURLToPath(import.meta.url), [address, accessToken])

  await once(child, 'message')
  await later(500)

  return child
}

/** Keeps as many calls on their way as it may. */
async function flood({ address, accessToken }: Flood): Promise<void> {
  const { socket, call } = await connect(address)
  const next = () => socket.emit('find', 'sessions', next)

  await call('create', 'authentication', { strategy: 'jwt', accessToken })

  for (let sent = 0; sent < atOnce; sent++) {
    next()
  }

  process.send!('flooding')
}
