import type { Answer } from './answer.js'
import { table } from './table.js'

/** What `moult check` found out about one thing. */
export interface Finding {
  check:
    | 'configuration'
    | 'database'
    | 'version'
    | 'replica set'
    | 'writes'
    | 'change stream'
    | 'indexes'
    | 'clock'
  /** A warning is no reason to fail. */
  state: 'ok' | 'warning' | 'wrong'
  found: string
  /** What to do about it. */
  mend?: string
}

export const ok = (check: Finding['check'], found: string): Finding => ({ check, state: 'ok', found })

export const warning = (check: Finding['check'], found: string, mend: string): Finding => ({
  check,
  state: 'warning',
  found,
  mend
})

export const wrong = (check: Finding['check'], found: string, mend: string): Finding => ({
  check,
  state: 'wrong',
  found,
  mend
})

/** All findings; failed where one of them is wrong. */
export function findingsAnswer(findings: Finding[]): Answer {
  const failed = findings.some(({ state }) => state === 'wrong')
  const rows = findings.map(({ check, state, found }) => [check, state, found])
  const mends = findings.flatMap(({ check, mend }) => (mend === undefined ? [] : [`${check}: ${mend}`]))

  return {
    text: [
      table(['check', 'state', 'found'], rows),
      '',
      ...(mends.length > 0 ? ['To mend:', ...mends.map((mend) => `  ${mend}`)] : ['All is well'])
    ].join('\n'),
    data: { ok: !failed, findings },
    failed
  }
}
