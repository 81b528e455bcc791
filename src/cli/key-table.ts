import { type KeyReport, type KeyState } from '../keys/report.js'
import type { Rotated } from '../keys/rotation.js'
import type { Answer } from './answer.js'
import { minute, table } from './table.js'
import { tokenKinds, type TokenKind } from '../refresh-token/internal.js'

type Reports = Record<TokenKind, KeyReport[]>

const uses: Record<KeyState, string> = {
  next: 'verifies, and will sign',
  signs: 'signs and verifies',
  verifies: 'verifies',
  spent: 'no longer needed',
  unused: 'verifies, has never signed',
  missing: 'GONE, but needed'
}

/** Lists the keys and their states, with times in UTC for people, and in ISO 8601 or null for programs. */
export function keysAnswer(file: string | undefined, reports: Reports): Answer {
  const keys = tokenKinds.flatMap((kind) => reports[kind].map((report) => ({ kind, ...report })))
  const rows = keys.map(({ kind, kid, state, signsFrom, neededTill }) => [
    kind,
    kid,
    uses[state],
    minute(signsFrom),
    minute(neededTill)
  ])

  return {
    text: [
      `Keys from ${file ?? 'the environment'}; times in UTC`,
      '',
      table(['tokens', 'key', 'use', 'signs from', 'needed till'], rows)
    ].join('\n'),
    data: {
      source: file === undefined ? 'environment' : 'file',
      file: file ?? null,
      keys: keys.map(({ signsFrom, neededTill, ...row }) => ({
        ...row,
        signsFrom: iso(signsFrom),
        neededTill: iso(neededTill)
      }))
    }
  }
}

/** The result of a rotation. */
export function rotatedAnswer(file: string, { added, dropped }: Rotated): Answer {
  const lines = [
    ...added.map(
      ({ kind, kid, signsFrom }) =>
        `New key for ${kind} tokens: ${kid}, verifies now and signs from ${minute(signsFrom)} UTC`
    ),
    ...dropped.map(({ kind, kid }) => `Dropped a key for ${kind} tokens: ${kid}, no longer needed`),
    `Written to ${file}; running services read it within a second`
  ]

  return {
    text: lines.join('\n'),
    data: {
      file,
      made: false,
      added: added.map(({ signsFrom, ...key }) => ({ ...key, signsFrom: iso(signsFrom) })),
      dropped
    }
  }
}

const iso = (time?: number): string | null => (time === undefined ? null : new Date(time).toISOString())
