import { fork, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as later } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { costlyHashes, withApp } from '../support/app.js'
import { password, restClient } from '../support/rest.js'

// What sign-ins and sign-ups from a few addresses, as many as the limits allow, do to the sign-ins of others. The attack
// runs in a process of its own. The goal: nobody else is refused, and 95 % are answered within a second.

const duration = 20_000 // ms of each row
const pause = 250 // ms between two sign-ins of others
const atOnce = 150 // requests that each attacking address has on their way
const limit = { limit: 600, per: '1m' } // of attempts by address: the default

const [address, addresses] = process.argv.slice(2).filter((word) => !word.startsWith('-'))

if (address && addresses) {
  await attack(address, Number(addresses))
} else {
  const rows = {
    nobody: await others(0),
    '1 address': await others(1),
    '4 addresses': await others(4),
    '12 addresses': await others(12)
  }

  console.log('Sign-ins of strangers, each from an address of its own, beside an attack from')
  console.table(rows)
}

async function others(attackers: number) {
  const rateLimit = {
    signIn: { account: { limit: 10, per: '15m' }, address: limit },
    signUp: { address: limit },
    refresh: { address: false }
  }

  return withApp({ settings: { proxies: 1, rateLimit, passwords: costlyHashes } }, async (t) => {
    const client = restClient(t.address)
    const { email } = await client.signUp()
    const attacking = attackers > 0 ? await startAttack(t.address, attackers) : undefined
    const end = performance.now() + duration
    const times: number[] = []
    let refused = 0

    for (let sample = 0; performance.now() < end; sample++) {
      const start = performance.now()
      const { status } = await client.ask('POST', '/authentication', {
        headers: { 'X-Forwarded-For': `198.51.100.${sample % 250}` },
        body: { strategy: 'local', email, password }
      })

      times.push(performance.now() - start)
      refused += status === 201 ? 0 : 1
      await later(pause)
    }

    attacking?.kill()
    times.sort((a, b) => a - b)

    const at = (share: number) =>
      Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))]!)

    return {
      'sign-ins': times.length,
      refused,
      'median (ms)': at(0.5),
      'p95 (ms)': at(0.95),
      'worst (ms)': at(1)
    }
  })
}

async function startAttack(service: string, attackers: number): Promise<ChildProcess> {
  const child = fork(fileURLToPath(import.meta.url), [service, String(attackers)])

  await once(child, 'message')
  return child
}

/** From so many /64s. */
async function attack(service: string, attackers: number): Promise<void> {
  const client = restClient(service)
  const loop = async (network: number, index: number) => {
    for (;;) {
      const headers = { 'X-Forwarded-For': `2001:db8:0:${network}::${index}` }
      const email = `${randomUUID()}@example.com`
      const { status } = await (
        index % 2
          ? client.ask('POST', '/users', { headers, body: { email, password } })
          : client.ask('POST', '/authentication', { headers, body: { strategy: 'local', email, password } })
      ).catch(() => ({ status: 0 }))

      // Beyond the limit, an attacker waits for the next minute
      await later(status === 429 ? 1000 : 0)
    }
  }

  process.send!('attacking')
  await Promise.all(
    Array.from({ length: attackers }, (_, network) =>
      Array.from({ length: atOnce }, (_, index) => loop(network, index))
    ).flat()
  )
}
