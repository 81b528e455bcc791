import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient, ObjectId, type Db } from 'mongodb'
import { startMongod } from '../../src/dev/mongod.js'
import { newUser } from './users.js'

// What a user takes in the database, by the number of its sessions.

const manyUsers = 20_000
const data = await mkdtemp(join(tmpdir(), 'moult-sizes-'))
const mongod = await startMongod({ folder: data, log: () => {} })
const client = new MongoClient(mongod.url)

try {
  await measureSizes(client.db())
} finally {
  await client.close()
  await mongod.stop()
  await rm(data, { recursive: true })
}

async function measureSizes(db: Db): Promise<void> {
  const rows: Record<string, object> = {}

  for (const sessions of [0, 1, 5, 20]) {
    const collection = db.collection(`users-${sessions}`)

    await collection.createIndex({ email: 1 }, { unique: true, collation: { locale: 'en', strength: 2 } })
    for (let made = 0; made < manyUsers; made += 1000) {
      await collection.insertMany(
        Array.from({ length: 1000 }, () => ({ ...newUser(sessions), _id: new ObjectId() }))
      )
    }
    await db.admin().command({ fsync: 1 })

    const [stats] = await collection.aggregate([{ $collStats: { storageStats: {} } }]).toArray()
    const { avgObjSize, storageSize, indexSizes } = stats!.storageStats as {
      avgObjSize: number
      storageSize: number
      indexSizes: Record<string, number>
    }
    const each = (bytes: number) => Math.round(bytes / manyUsers)

    rows[`${sessions} sessions`] = {
      'in memory': avgObjSize,
      'on disk': each(storageSize),
      'index of _id': each(indexSizes._id_!),
      'index of email': each(indexSizes.email_1!)
    }
    await collection.drop()
  }

  console.log(`Bytes for each of ${manyUsers} users`)
  console.table(rows)
}
