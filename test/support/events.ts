import type { TestApp } from './app.js'

/** The sessions that end while something is done: their ids and reasons, in order. */
export async function endedBy(t: TestApp, work: () => Promise<unknown>): Promise<[string, string][]> {
  const service = t.app.service('sessions')
  const ended: [string, string][] = []
  const listen = ({ id, reason }: { id: string; reason: string }) => ended.push([id, reason])

  service.on('removed', listen)

  try {
    await work()
  } finally {
    service.off('removed', listen)
  }

  return ended
}
