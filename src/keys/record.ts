import type { Collection } from 'mongodb'
import type { Application } from '../declarations.js'
import type { Settings } from '../refresh-token/index.js'
import { isUnreachable, tokenKinds, type TokenKind, type SigningKey } from '../refresh-token/internal.js'
import { keyringOf, neededTill, reportKeys, stoppedByFile, tokenLife, type KeyReport } from './report.js'

/** When a key was used to sign, as noted by all instances. Never the key itself. */
interface SigningTime {
  /** kid */
  _id: string
  kind: TokenKind
  firstSigned: Date
  lastSigned: Date
}

const interval = 60_000 // ms: how far a note may lag behind, so a key is needed that much longer

/**
 * Notes in the database which keys sign: secrets in the environment tell neither since when, nor which ones were there
 * before. Warns if a key that is still needed is gone.
 */
export const keyRecord = (app: Application) => {
  let timer: NodeJS.Timeout | undefined

  const quietly = (work: () => Promise<void>) => () =>
    void work().catch((error: Error) => {
      // Without the database nothing is signed either
      if (!isUnreachable(error)) {
        app.get('logger').warn(`The signing keys can not be noted: ${error.message}`)
      }
    })

  app.hooks({
    setup: [
      async (_context: unknown, next: () => Promise<void>) => {
        await next()
        quietly(async () => {
          await noteSigners(app)
          await warnOfMissing(app)
        })()
        timer = setInterval(
          quietly(() => noteSigners(app)),
          interval
        ).unref()
      }
    ],
    teardown: [
      async (_context: unknown, next: () => Promise<void>) => {
        clearInterval(timer)
        await next()
      }
    ]
  })
}

/** The state of each key, also of those that are needed but gone: by kind, newest first. */
export async function keyReports(app: Application): Promise<Record<TokenKind, KeyReport[]>> {
  const records = await recordsIn(app).find().toArray()
  const { settings } = app.service('authentication')
  const report = (kind: TokenKind) => reportOf(kind, settings, records, app.get('now')())

  return { access: report('access'), refresh: report('refresh'), factor: report('factor') }
}

function reportOf(kind: TokenKind, settings: Settings, all: SigningTime[], now: number): KeyReport[] {
  const keys = keyringOf(kind, settings)?.keys ?? []
  const records = all.filter((record) => record.kind === kind)
  const life = tokenLife(kind, settings)
  const recordOf = ({ kid }: { kid: string }) => records.find(({ _id }) => _id === kid)
  const stopped = (key: SigningKey) =>
    latest(stoppedByFile(keys, key), lastSigned(recordOf(key))) ?? earliest(records, now)
  const reports = reportKeys(keys, { life, now, stopped }).map((report): KeyReport => {
    const record = recordOf(report)
    const isUnused = report.state === 'spent' && !record && report.signsFrom === undefined

    return {
      ...report,
      signsFrom: report.signsFrom ?? record?.firstSigned.getTime(),
      ...(isUnused && { state: 'unused', neededTill: undefined })
    }
  })
  const missing = records
    // What is stored tells whether a key of factors is missing, and stops the start
    .filter(({ _id }) => kind !== 'factor' && keys.every(({ kid }) => kid !== _id))
    .map((record): KeyReport => {
      const till = neededTill(lastSigned(record)!, life)

      return { kid: record._id, state: 'missing', signsFrom: record.firstSigned.getTime(), neededTill: till }
    })

  return [...reports, ...missing.filter((report) => report.neededTill! > now)]
}

const lastSigned = (record: SigningTime | undefined): number | undefined =>
  record && record.lastSigned.getTime() + interval

const latest = (...times: (number | undefined)[]): number | undefined => {
  const defined = times.filter((time) => time !== undefined)

  return defined.length > 0 ? Math.max(...defined) : undefined
}

/** When the notes begin: a key without a note signed before that, if ever. */
const earliest = (records: SigningTime[], now: number): number =>
  Math.min(now, ...records.map(({ firstSigned }) => firstSigned.getTime()))

async function noteSigners(app: Application): Promise<void> {
  const { settings } = app.service('authentication')
  const now = new Date(app.get('now')())

  for (const kind of tokenKinds) {
    const keyring = keyringOf(kind, settings)

    if (keyring) {
      await recordsIn(app).updateOne(
        { _id: keyring.newest.kid, kind },
        { $min: { firstSigned: now }, $max: { lastSigned: now } },
        { upsert: true }
      )
    }
  }
}

async function warnOfMissing(app: Application): Promise<void> {
  const reports = await keyReports(app)

  for (const kind of tokenKinds) {
    for (const { kid, neededTill } of reports[kind].filter(({ state }) => state === 'missing')) {
      app
        .get('logger')
        .warn(
          `The key ${kid}, which signed ${kind} tokens that live till ${new Date(neededTill!).toISOString()}, is gone: ` +
            'they are refused unless it is put back, behind the newest'
        )
    }
  }
}

function recordsIn(app: Application): Collection<SigningTime> {
  return app.get('database').collection('signingKeys') as unknown as Collection<SigningTime>
}
