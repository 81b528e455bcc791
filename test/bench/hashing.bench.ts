import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as after } from 'node:timers/promises'
import { compare, hash } from 'bcryptjs'
import { Argon2Strategy } from '../../src/services/authentication/local-strategy.js'
import { PasswordHasher, type Verification } from '../../src/passwords/hasher.js'
import { withApp, type TestApp } from '../support/app.js'
import { password, restClient } from '../support/rest.js'

// What sign-ins do to everybody else: the event loop's delay while 16 are in flight, with Argon2id in threads, and with
// bcryptjs, which is what stock Feathers has. The goal: less than 20 ms at the 99th percentile.

const inFlight = 16
const duration = 8000 // ms of each measurement
const warmUp = 1000 // ms
const stockCost = 10 // of bcrypt in stock Feathers

/** Signs in as stock Feathers does. */
class Bcryptjs extends PasswordHasher {
  override hash(password: string): Promise<string> {
    return hash(password, stockCost)
  }

  override async verify(stored: string, password: string): Promise<Verification> {
    return { matches: await compare(password, stored) }
  }
}

interface Row {
  'sign-ins/s': number
  'delay p50 (ms)': number
  'p99 (ms)': number
  'max (ms)': number
}

async function measure(call?: (index: number) => Promise<void>): Promise<Row> {
  const started = performance.now()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  let calls = 0
  let stopped = false

  const loop = async (index: number) => {
    while (!stopped) {
      await call?.(index)
      calls++
    }
  }
  const loops = call ? Array.from({ length: inFlight }, (_, index) => loop(index)) : []

  await after(warmUp)
  delay.enable()
  calls = 0
  await after(duration)
  delay.disable()

  const perSecond = calls / ((performance.now() - started - warmUp) / 1000)

  stopped = true
  await Promise.all(loops)

  const ms = (nanoseconds: number) => Number((nanoseconds / 1e6).toFixed(1))

  return {
    'sign-ins/s': Number(perSecond.toFixed(1)),
    'delay p50 (ms)': ms(delay.percentile(50)),
    'p99 (ms)': ms(delay.percentile(99)),
    'max (ms)': ms(delay.max)
  }
}

async function signIns({ address, db }: TestApp, hasher: PasswordHasher): Promise<Row> {
  const client = restClient(address)
  const stored = await hasher.hash(password)
  const email = (index: number) => `${index}@example.com`

  await db
    .collection('users')
    .insertMany(Array.from({ length: inFlight }, (_, index) => ({ email: email(index), password: stored })))

  return measure(async (index) => {
    const { status } = await client.signIn(email(index))

    if (status !== 201) {
      throw new Error(`A sign-in was answered ${status}`)
    }
  })
}

function stockSignIns(t: TestApp): Promise<Row> {
  const hasher = new Bcryptjs(t.app.get('passwords'))

  t.app.service('authentication').register('local', new Argon2Strategy(hasher))
  return signIns(t, hasher)
}

console.log(`Delay of the event loop with ${inFlight} sign-ins in flight, client and service in one process`)
console.table({
  nothing: await measure(),
  Argon2id: await withApp({}, (t) => signIns(t, t.app.get('hasher'))),
  bcryptjs: await withApp({}, stockSignIns)
})
