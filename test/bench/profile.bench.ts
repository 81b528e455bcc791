import type { Profiler } from 'node:inspector'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { short, table } from './harness/figures.js'
import { startDriver, type Driver, type Kind } from './harness/load.js'
import { largest, sharesOf, type Shares } from './harness/profile.js'
import { seed, withServices, type Service } from './harness/services.js'

// Where the CPU of Moult goes, by profile of the service under load; beside it the bare program under Koa, whose share
// nothing can save. With --keep=FOLDER the profiles are kept, for Chromium's developer tools.

interface Profile {
  /** µs of CPU that one request took */
  perRequest: number
  shares: Shares
}

const sessions = 16
const rounds = 3
const duration = 3000 // ms of a round
const warmUp = { duration: 10_000, most: 5000 } // ms, requests
const kinds: Kind[] = ['refresh', 'read', 'socket']
const folder = process.argv.find((word) => word.startsWith('--keep='))?.slice('--keep='.length)

await withServices(['Koa', 'Moult'], async (services) => {
  const driver = startDriver()

  try {
    for (const service of services) {
      await seed(service, ['keeps'], sessions)
      await driver.signIn(service.address, sessions)
    }

    for (const kind of kinds) {
      // Not before: other sockets would hear of each refresh
      if (kind === 'socket') {
        await Promise.all(services.map(({ address }) => driver.connect(address, sessions)))
      }

      const [koa, moult] = await profiles(driver, services, kind)

      print(kind, koa!, moult!)
    }
  } finally {
    driver.stop()
  }
})

/** Profiles the services in turns, so that the machine is as busy for the one as for the other. */
async function profiles(driver: Driver, services: Service[], kind: Kind): Promise<Profile[]> {
  for (const { address } of services) {
    await driver.run({ kind, address, sessions, ...warmUp })
  }

  const parts = services.map((): { requests: number; cpu: number; profile: Profiler.Profile }[] => [])

  for (let round = 0; round < rounds; round++) {
    for (const [index, service] of services.entries()) {
      await service.startProfile()

      const before = await service.cpu()
      const { requests } = await driver.run({ kind, address: service.address, sessions, duration })

      const cpu = (await service.cpu()) - before

      parts[index]!.push({ requests, cpu, profile: (await service.stopProfile()) as Profiler.Profile })
    }
  }

  if (folder) {
    await writeFile(join(folder, `${kind}.cpuprofile`), JSON.stringify(parts[1]![0]!.profile))
  }

  return parts.map((own) => {
    const sum = (figure: 'cpu' | 'requests') => own.reduce((total, part) => total + part[figure], 0)

    return {
      perRequest: (sum('cpu') / sum('requests')) * 1e6,
      shares: sharesOf(own.map(({ profile }) => profile))
    }
  })
}

function print(kind: Kind, koa: Profile, moult: Profile): void {
  // Samples are taken by the clock, also while another process has the core: their shares count, of the CPU's time
  const share = ({ shares, perRequest }: Profile, by: Exclude<keyof Shares, 'total'>, key: string) =>
    ((shares[by].get(key) ?? 0) / shares.total) * perRequest
  const show = (name: string, by: Exclude<keyof Shares, 'total'>, count: number) =>
    console.log(
      `\n${table(
        largest(moult.shares[by], count).map(([key, time]) => ({
          [name]: key,
          'µs of a request': share(moult, by, key),
          '%': (time / moult.shares.total) * 100,
          'µs in Koa': share(koa, by, key)
        }))
      )}`
    )

  console.log(
    `\n## Profile of ${kind}: ${short(moult.perRequest)} µs of CPU per request, ${short(koa.perRequest)} µs in Koa`
  )
  show('Package that ran', 'byPackage', 25)
  show('File, with what Node and V8 do for it', 'byFile', 40)
  show('Function, with all that it calls', 'inclusive', 50)
  show('Function alone', 'byFunction', 25)
}
