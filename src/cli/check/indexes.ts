import { MongoServerError, type Db, type IndexDescriptionInfo } from 'mongodb'
import { eventIndexes } from '../../services/events/trail/event-store.js'
import { caseInsensitive, type NeededIndex } from '../../database/indexes.js'
import { rateLimitIndexes } from '../../rate-limits/indexes.js'
import { endReasonsIndex } from '../../refresh-token/internal.js'
import { linkIndexes } from '../../services/mails/mails.indexes.js'
import { userIndexes } from '../../services/users/users.indexes.js'
import { ok, wrong, type Finding } from './finding.js'

const namespaceNotFound = 26
const searchTimeout = 20_000 // ms, to search for duplicate emails

/** All indexes of the service, except the one by which events expire, which depends on a setting. */
export const neededIndexes: NeededIndex[] = [
  ...userIndexes,
  ...linkIndexes,
  ...rateLimitIndexes,
  { ...endReasonsIndex },
  ...eventIndexes
]

/** Checks that the indexes exist and have the right options. Collections that don't exist yet will get theirs. */
export async function checkIndexes(
  db: Db,
  indexes: NeededIndex[] = neededIndexes
): Promise<Finding | Finding[]> {
  const findings: Finding[] = []
  let present = 0

  for (const needed of indexes) {
    const existing = await indexesOf(db, needed.collection)
    const index = existing?.find(({ key }) => JSON.stringify(key) === JSON.stringify(needed.key))

    if (existing && !index) {
      findings.push(await missing(db, needed))
    } else if (index && !fits(index, needed)) {
      findings.push(different(needed, index))
    } else if (index) {
      present++
    }
  }

  if (findings.length > 0) {
    return findings
  }

  return ok(
    'indexes',
    present > 0 ? `${present}, as they should be` : 'none yet: the first service makes them'
  )
}

async function indexesOf(db: Db, collection: string): Promise<IndexDescriptionInfo[] | undefined> {
  try {
    return await db.collection(collection).indexes()
  } catch (error) {
    if (error instanceof MongoServerError && error.code === namespaceNotFound) {
      return undefined
    }

    throw error
  }
}

function fits(index: IndexDescriptionInfo, { unique, collation, expireAfterSeconds }: NeededIndex): boolean {
  const { locale, strength } = (index.collation ?? {}) as Partial<typeof caseInsensitive>

  return (
    index.unique === unique &&
    index.expireAfterSeconds === expireAfterSeconds &&
    locale === collation?.locale &&
    strength === collation?.strength
  )
}

async function missing(db: Db, { collection, key }: NeededIndex): Promise<Finding> {
  const name = `${collection} has no index on ${Object.keys(key).join(', ')}`
  const duplicate = collection === 'users' ? await duplicateEmail(db) : undefined

  return duplicate === undefined
    ? wrong('indexes', name, 'start a service again, which makes it')
    : wrong(
        'indexes',
        `${name}, and two users have the email ${duplicate}`,
        'change or delete one of them, check again, then start a service, which makes the index'
      )
}

async function duplicateEmail(db: Db): Promise<string | undefined> {
  const [duplicate] = await db
    .collection('users')
    .aggregate<{ _id: unknown }>(
      [{ $group: { _id: '$email', count: { $sum: 1 } } }, { $match: { count: { $gt: 1 } } }, { $limit: 1 }],
      { collation: caseInsensitive, allowDiskUse: true, maxTimeMS: searchTimeout }
    )
    .toArray()

  return duplicate && String(duplicate._id)
}

function different({ collection, key }: NeededIndex, { name }: IndexDescriptionInfo): Finding {
  return wrong(
    'indexes',
    `the index on ${Object.keys(key).join(', ')} of ${collection} differs from the one that the service makes`,
    `drop it (db.${collection}.dropIndex('${name}')) and start a service again, which makes it`
  )
}
