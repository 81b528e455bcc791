import type { Answer } from '../answer.js'
import { table } from '../table.js'

/** The result of one check. */
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
    | 'users'
  /** Only `wrong` makes the command fail. */
  state: 'ok' | 'warning' | 'wrong'
  found: string
  /** How to fix it. */
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

/** Turns a sentence that says what is wrong and, after a colon, what to write instead, into a finding. */
export function mistake(check: Finding['check'], sentence: string): Finding {
  const [, found = sentence, mend = 'change that setting'] = /^(.*?): (?=[a-z])(.*)$/s.exec(sentence) ?? []

  return wrong(check, found, mend)
}

/** Prints all findings; fails if one of them is wrong. */
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
