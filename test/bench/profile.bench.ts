import type { Profiler } from 'node:inspector'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { table } from './harness/figures.js'
import { startDriver, type Driver, type Kind } from './harness/load.js'
import { largest, sharesOf, type Shares } from './harness/profile.js'
import { seed, withServices, type Service } from './harness/services.js'

// Where the CPU of Moult goes, by profile of the service under load; beside it the bare program under Koa, whose share
// nothing can save. With --keep=FOLDER the profiles are kept, for Chromium's developer tools.

interface Profile {
  requests: number
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

  const parts = services.map((): { requests: number; profile: Profiler.Profile }[] => [])

  for (let round = 0; round < rounds; round++) {
    for (const [index, service] of services.entries()) {
      await service.startProfile()

      const { requests } = await driver.run({ kind, address: service.address, sessions, duration })

      parts[index]!.push({ requests, profile: (await service.stopProfile()) as Profiler.Profile })
    }
  }

  if (folder) {
    await writeFile(join(folder, `${kind}.cpuprofile`), JSON.stringify(parts[1]![0]!.profile))
  }

  return parts.map((own) => ({
    requests: own.reduce((sum, { requests }) => sum + requests, 0),
    shares: sharesOf(own.map(({ profile }) => profile))
  }))
}

function print(kind: Kind, koa: Profile, moult: Profile): void {
  const perRequest = (time: number, { requests }: Profile) => (time / requests) * 1000
  const show = (name: string, by: Exclude<keyof Shares, 'total'>, count: number) =>
    console.log(
      `\n${table(
        largest(moult.shares[by], count).map(([key, time]) => ({
          [name]: key,
          'µs of a request': perRequest(time, moult),
          '%': (time / moult.shares.total) * 100,
          'µs in Koa': perRequest(koa.shares[by].get(key) ?? 0, koa)
        }))
      )}`
    )

  console.log(
    `\n## Profile of ${kind}: ${perRequest(moult.shares.total, moult).toFixed(0)} µs of the main thread per ` +
      `request, ${perRequest(koa.shares.total, koa).toFixed(0)} µs in Koa`
  )
  show('Package that ran', 'byPackage', 25)
  show('File, with what Node and V8 do for it', 'byFile', 40)
  show('Function, with all that it calls', 'inclusive', 50)
  show('Function alone', 'byFunction', 25)
}
