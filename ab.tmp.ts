import { startDriver, type Kind } from './test/bench/harness/load.js'
import { median } from './test/bench/harness/figures.js'
import { seed, withServices } from './test/bench/harness/services.js'
const kinds = (process.argv[2] ?? 'refresh,read').split(',') as Kind[]
const rounds = Number(process.argv[3] ?? 6)
const names = (process.argv[4] ?? 'Koa,Moult').split(',') as any
await withServices(names, async (services) => {
  const driver = startDriver()
  try {
    for (const s of services) { await seed(s, ['keeps','signs-in'], 16); await driver.signIn(s.address, 16) }
    for (const kind of kinds) {
      const cpu: Record<string, number[]> = {}
      for (const s of services) await driver.run({ kind, address: s.address, sessions: 16, duration: 3000 })
      for (let r = 0; r < rounds; r++) for (const s of services) {
        const b = await s.cpu(); const { requests } = await driver.run({ kind, address: s.address, sessions: 16, duration: 1000 })
        ;(cpu[s.name] ??= []).push(((await s.cpu()) - b) / requests * 1000)
      }
      console.log(kind, services.map(({name}) => `${name} ${median(cpu[name]!).toFixed(3)} (x${median(cpu[name]!.map((c, i) => c / cpu[services[0]!.name]![i]!)).toFixed(2)})`).join('  '))
    }
  } finally { driver.stop() }
})
