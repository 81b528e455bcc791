import { spawnSync } from 'node:child_process'
import type { Driver } from './load.js'
import type { Service } from './services.js'

/** Gives the services a core for themselves; MongoDB and the clients share another. Linux, two cores or more. */
export async function pinCores(services: Service[], drivers: Driver[]): Promise<void> {
  const { pid } = await services[0]!.db.admin().serverStatus()

  for (const service of services) {
    pin(service.pid, 0)
  }
  for (const each of [Number(pid), ...drivers.map((driver) => driver.pid)]) {
    pin(each, 1)
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
