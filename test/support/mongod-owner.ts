// A service in small, run as a process of its own: starts the mongod of a folder, prints what happens as JSON
// lines, uses its database when it is told to end, and only then stops it.
import { MongoClient } from 'mongodb'
import { startMongod } from '../../src/dev/mongod.js'

const say = (line: object) => console.log(JSON.stringify(line))

process.stdin.on('end', () => process.exit(1)).resume()

try {
  const folder = process.argv[2]!
  const mongod = await startMongod({ folder, log: (sentence) => say({ sentence }) })

  const end = async () => {
    const client = new MongoClient(mongod.url, { serverSelectionTimeoutMS: 2000 })

    await client.db().collection('drained').insertOne({ at: new Date() })
    await client.close()
    await mongod.stop()
    process.exit()
  }

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void end())
  }
  say({ url: mongod.url })
} catch (error) {
  say({ error: (error as Error).message })
  process.exit(1)
}
