import { MongoClient, MongoServerError, MongoServerSelectionError, type Db, type Document } from 'mongodb'
import { reason } from '../../dev/development-error.js'
import { clientOptions, leastVersion, nameIn } from '../../database/database.js'
import type { NeededIndex } from '../../database/indexes.js'
import { hostsOf, isUnauthorized, whyUnreachable } from '../../database/unreachable.js'
import { checkIndexes, neededIndexes } from './indexes.js'
import { checkChangeStream, checkWrites, makeReplicaSet } from './writes.js'
import { ok, warning, wrong, type Finding } from './finding.js'
import { during } from '../progress.js'

const clockWarns = 1000 // ms of difference from the database's clock
const clockWrong = 5000 // ms: docs/scaling.md allows a few seconds

/**
 * Checks that a database is as the service needs it, with the same client options. Writes to a collection of its own
 * and drops it.
 *
 * @param now ms since 1970
 */
export async function checkDatabase(url: string, now: () => number = Date.now): Promise<Finding[]> {
  const client = new MongoClient(url, clientOptions)
  const db = client.db(nameIn(url))

  try {
    await during('Connecting', () => client.connect())
    await db.command({ ping: 1 })
  } catch (error) {
    await client.close()
    return [unusable(error, hostsOf(client))]
  }

  try {
    return await checkConnected(db, neededIndexes, now)
  } finally {
    await client.close()
  }
}

/** Checks the database of a connected client. */
export async function checkConnected(
  db: Db,
  indexes: NeededIndex[],
  now: () => number = Date.now
): Promise<Finding[]> {
  return [
    ok('database', `${db.databaseName} at ${hostsOf(db.client)}`),
    await checking('version', db, () => checkVersion(db)),
    await checking('replica set', db, () => checkReplicaSet(db)),
    await checking('writes', db, () => checkWrites(db)),
    await checking('change stream', db, () => checkChangeStream(db)),
    await checking('indexes', db, () => checkIndexes(db, indexes)),
    await checking('clock', db, () => checkClock(db, now))
  ].flat()
}

/** Runs a check. An error becomes a finding too. */
async function checking(
  check: Finding['check'],
  { databaseName }: Db,
  work: () => Promise<Finding | Finding[]>
): Promise<Finding | Finding[]> {
  try {
    return await during(`Checking: ${check}`, work)
  } catch (error) {
    return wrong(
      check,
      withoutUser(reason(error)),
      isUnauthorized(error)
        ? `give the database user the role readWrite on ${databaseName}`
        : 'look into the log of MongoDB, and check again'
    )
  }
}

/** Says why a database can't be used at all. */
function unusable(error: unknown, hosts: string): Finding {
  const { servers, setName } = (error instanceof MongoServerSelectionError && error.reason) || {}

  // The driver forgets a server that answers but belongs to another replica set, or to none
  if (servers?.size === 0 && setName) {
    return wrong(
      'database',
      `${hosts} answers, but is no member of the replica set ${setName}`,
      'write the name of the set (rs.status().set) as replicaSet in MONGODB_URL; a server without one has to become a set'
    )
  }
  if ([...(servers?.values() ?? [])].some(({ type }) => type !== 'Unknown')) {
    return wrong(
      'database',
      `${hosts} answers, but there is no primary`,
      'start most of the members of the replica set; one that is new has to be initiated (rs.initiate()), ' +
        'and replicaSet in MONGODB_URL has to be its name'
    )
  }
  if (error instanceof MongoServerError) {
    return wrong(
      'database',
      `${hosts} refuses: ${withoutUser(reason(error))}`,
      'write the user, the password and the authSource that may use it in MONGODB_URL'
    )
  }

  return wrong(
    'database',
    `${hosts} can not be reached (${whyUnreachable(error, hosts)})`,
    'start MongoDB there, and see that it can be reached from here, or write another address in MONGODB_URL'
  )
}

/** Removes user and password: the driver's messages may quote the whole URL. */
export const withoutUser = (sentence: string): string => sentence.replace(/\/\/[^\s"@/]*@/g, '//…@')

async function checkVersion(db: Db): Promise<Finding> {
  const { version } = (await db.admin().buildInfo()) as { version: string }

  return Number.parseInt(version) < leastVersion
    ? wrong('version', `MongoDB ${version}`, `install MongoDB ${leastVersion}.0 or newer`)
    : ok('version', `MongoDB ${version}`)
}

async function checkReplicaSet(db: Db): Promise<Finding> {
  const { setName, hosts = [], msg } = await hello(db)
  const nodes = hosts.length === 1 ? 'one node' : `${hosts.length} nodes`

  if (msg === 'isdbgrid') {
    return ok('replica set', 'a sharded cluster')
  }
  if (!setName) {
    return wrong(
      'replica set',
      'a single server that is no replica set: changes by other processes are noticed late, and at a cost',
      makeReplicaSet
    )
  }
  if (hosts.length < 3 && process.env.NODE_ENV === 'production') {
    return warning(
      'replica set',
      `${setName}, ${nodes}: none may fail`,
      'add members till there are three (docs/scaling.md)'
    )
  }

  return ok('replica set', `${setName}, ${nodes}`)
}

interface Hello extends Document {
  setName?: string
  hosts?: string[]
  msg?: string
  localTime: Date
}

const hello = async (db: Db): Promise<Hello> => (await db.command({ hello: 1 })) as Hello

async function checkClock(db: Db, now: () => number): Promise<Finding> {
  const sent = now()
  const { localTime } = await hello(db)
  const received = now()
  // The clock was read at some time in between
  const uncertainty = (received - sent) / 2
  const ahead = sent + uncertainty - localTime.getTime()
  const apart = Math.max(0, Math.abs(ahead) - uncertainty)
  const found = `${(apart / 1000).toFixed(1)} s ${ahead > 0 ? 'ahead of' : 'behind'} the database's`
  const mend = 'let NTP set the clocks of all machines'

  if (apart > clockWrong) {
    return wrong('clock', found, mend)
  }

  return apart > clockWarns
    ? warning('clock', found, mend)
    : ok('clock', "agrees with the database's to within a second")
}
