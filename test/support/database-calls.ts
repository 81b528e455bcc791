import type { TestApp } from './app.js'

/** What the database of the app is asked while something is done: `find users`. */
export async function callsOf({ db }: TestApp, work: () => Promise<unknown>): Promise<string[]> {
  await db.command({ profile: 2 })
  await work()
  await db.command({ profile: 0 })

  const profile = db.collection('system.profile')
  const found = await profile
    .find({ op: { $in: ['query', 'command', 'update', 'insert', 'remove'] } })
    .toArray()

  await profile.drop()

  return found
    .filter(({ command }) => !command.profile && !command.getMore && !('hello' in command))
    .map(({ command, ns }) => `${Object.keys(command)[0]} ${ns.split('.').slice(1).join('.')}`)
}
