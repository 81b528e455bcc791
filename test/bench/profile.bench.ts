import type { Profiler } from 'node:inspector'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { table } from './harness/figures.js'
import { startDriver, type Kind } from './harness/load.js'
import { largest, sharesOf } from './harness/profile.js'
import { seed, withServices } from './harness/services.js'

// Where the CPU of Moult goes on a refresh and on an authenticated GET, by profile of the service under load.
// With --keep=FOLDER the profiles are kept, for Chromium's developer tools.

const sessions = 16
const warmUp = 5000 // ms
const duration = 8000 // ms
const kinds: Kind[] = ['refresh', 'read', 'socket']
const folder = process.argv.find((word) => word.startsWith('--keep='))?.slice('--keep='.length)

await withServices(['Moult'], async ([service]) => {
  const driver = startDriver()
  const { address } = service!

  try {
    await seed(service!, ['keeps'], sessions)
    await driver.signIn(address, sessions)

    for (const kind of kinds) {
      // Not before: other sockets would hear of each refresh
      if (kind === 'socket') {
        await driver.connect(address, sessions)
      }

      await driver.run({ kind, address, sessions, duration: warmUp })
      await service!.startProfile()

      const { requests } = await driver.run({ kind, address, sessions, duration })
      const profile = (await service!.stopProfile()) as Profiler.Profile

      if (folder) {
        await writeFile(join(folder, `${kind}.cpuprofile`), JSON.stringify(profile))
      }

      print(kind, profile, requests)
    }
  } finally {
    driver.stop()
  }
})

function print(kind: Kind, profile: Profiler.Profile, requests: number): void {
  const { total, byPackage, byFunction, byCaller, byStep } = sharesOf(profile)
  const perRequest = (time: number) => (time / requests) * 1000
  const show = (name: string, shares: Map<string, number>, count: number) =>
    console.log(
      `\n${table(
        largest(shares, count).map(([key, time]) => ({
          [name]: key,
          'µs of a request': perRequest(time),
          '%': (time / total) * 100
        }))
      )}`
    )

  console.log(`\n## Profile of ${kind}: ${perRequest(total).toFixed(0)} µs of the main thread per request`)
  show('Package that ran', byPackage, 25)
  show('Nearest file of a package, with what Node and V8 do for it', byStep, 40)
  show('Nearest function of Moult, with what others do for it', byCaller, 30)
  show('Function that ran', byFunction, 30)
}
