import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { openLine, type Line } from './line.js'
import { childrenOf } from './mongod.js'
import { atOnce } from './rest.js'

/** The ids of the worker processes of a service. */
export async function workersOf({ pid }: { pid: number }): Promise<number[]> {
  const children = await childrenOf(pid)
  const commands = await Promise.all(
    children.map((child) => readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => ''))
  )

  return children.filter((_child, index) => commands[index]!.includes('workers/worker'))
}

/** Lines to a service, by the worker at the other end. */
export async function linesTo(address: string): Promise<Map<string, Line>> {
  const lines = await atOnce(8, () => openLine(address))
  const byWorker = new Map(lines.map((line) => [line.worker, line]))

  lines.filter((line) => line !== byWorker.get(line.worker)).forEach((line) => line.close())
  return byWorker
}

/** One to each of two workers. */
export async function linesToBoth(address: string): Promise<Line[]> {
  const lines = await linesTo(address)

  assert.equal(lines.size, 2, 'eight connections went to one worker')
  return [...lines.values()]
}
