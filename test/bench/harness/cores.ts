import { spawnSync } from 'node:child_process'
import type { Driver } from './load.js'
import type { Service } from './services.js'

/** With --pin, the services get a core for themselves; MongoDB and the clients share another. Linux, two cores or more. */
export async function pinCores(services: Service[], drivers: Driver[]): Promise<void> {
  if (process.argv.includes('--pin')) {
    const { pid } = await services[0]!.db.admin().serverStatus()

    services.forEach((service) => pin(service.pid, 0))
    ;[pid, ...drivers.map((driver) => driver.pid)].forEach((each) => pin(Number(each), 1))
  }
}

function pin(pid: number, core: number): void {
  const { status, stderr } = spawnSync('taskset', [
    '--all-tasks',
    '--cpu-list',
    '--pid',
    String(core),
    String(pid)
  ])

  if (status !== 0) {
    throw new Error(`taskset could not pin process ${pid}: ${String(stderr)}`)
  }
}
