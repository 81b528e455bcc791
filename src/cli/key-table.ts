import {
  tokenKinds,
  type KeyReport,
  type KeyState,
  type Rotated,
  type TokenKind
} from '../refresh-token/index.js'

type Reports = Record<TokenKind, KeyReport[]>

const uses: Record<KeyState, string> = {
  next: 'verifies, and will sign',
  signs: 'signs and verifies',
  verifies: 'verifies',
  spent: 'no longer needed',
  unused: 'verifies, has never signed',
  missing: 'GONE, but needed'
}

/** A table for people; times in UTC. */
export function keyTable(file: string | undefined, reports: Reports): string {
  const rows = rowsOf(reports).map(({ kind, kid, state, signsFrom, neededTill }) => [
    kind,
    kid,
    uses[state],
    minute(signsFrom),
    minute(neededTill)
  ])

  return [`Keys from ${file ?? 'the environment'}; times in UTC`, '', ...aligned([header, ...rows])].join(
    '\n'
  )
}

const header = ['tokens', 'key', 'use', 'signs from', 'needed till']

/** The same for programs; times in ISO 8601, null where there is none. */
export function keysAsJson(file: string | undefined, reports: Reports): string {
  const keys = rowsOf(reports).map(({ signsFrom, neededTill, ...row }) => ({
    ...row,
    signsFrom: iso(signsFrom),
    neededTill: iso(neededTill)
  }))

  return JSON.stringify(
    { source: file === undefined ? 'environment' : 'file', file: file ?? null, keys },
    null,
    2
  )
}

/** What a rotation did, a line each. */
export function rotatedLines(file: string, { added, dropped }: Rotated): string {
  return [
    ...added.map(
      ({ kind, kid, signsFrom }) =>
        `New key for ${kind} tokens: ${kid}, verifies now and signs from ${minute(signsFrom)} UTC`
    ),
    ...dropped.map(({ kind, kid }) => `Dropped a key for ${kind} tokens: ${kid}, no longer needed`),
    `Written to ${file}; running services read it within a second`
  ].join('\n')
}

const rowsOf = (reports: Reports) =>
  tokenKinds.flatMap((kind) => reports[kind].map((report) => ({ kind, ...report })))

const iso = (time?: number): string | null => (time === undefined ? null : new Date(time).toISOString())

const minute = (time?: number): string => iso(time)?.slice(0, 16).replace('T', ' ') ?? '-'

function aligned(rows: string[][]): string[] {
  const widths = header.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))

  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  )
}
