import { decoded } from './tokens.js'

/** One presentation of a refresh token, by whomever, and what came of it. Times in ms, of one clock. */
export interface Presentation {
  sid: string
  jti: string
  prev: string
  from: number
  till: number
  /** `granted`; `refused` and the reason; `503`; `lost` without an answer. */
  outcome: string
  /** The refresh token in the answer. */
  successor?: string
}

/** What the presentations of many clients break of the rules of rotation: a sentence each. */
export function violations(presentations: Presentation[]): string[] {
  return [...grouped(presentations, ({ sid }) => sid).values()].flatMap((ofSession) => [
    ...forks(ofSession),
    ...revivals(ofSession),
    ...wrongSuccessors(ofSession)
  ])
}

/** Of the successors of a token one is used, and from then on the token is not granted. */
function forks(presentations: Presentation[]): string[] {
  const granted = presentations.filter(({ outcome }) => outcome === 'granted')
  const families = grouped(granted, ({ prev }) => prev)

  return [...families].flatMap(([parent, uses]) => {
    const used = new Set(uses.map(({ jti }) => jti))
    const firstUse = Math.min(...uses.map(({ till }) => till))
    const late = granted.filter(({ jti, from }) => jti === parent && from > firstUse)

    return [
      ...(used.size > 1 ? [`${used.size} successors of the token ${parent} were used`] : []),
      ...late.map(({ jti }) => `the token ${jti} was granted again after its successor had been used`)
    ]
  })
}

/** A session that ended has ended. */
function revivals(presentations: Presentation[]): string[] {
  const ends = presentations.filter(({ outcome }) => /^refused (reused|revoked)$/.test(outcome))
  const end = Math.min(...ends.map(({ till }) => till))

  return presentations
    .filter(({ outcome, from }) => outcome === 'granted' && from > end)
    .map(({ jti, sid }) => `the token ${jti} was granted after its session ${sid} had ended`)
}

function wrongSuccessors(presentations: Presentation[]): string[] {
  return presentations
    .filter(({ successor, sid, jti }) => {
      const { claims } = successor === undefined ? { claims: { sid, prev: jti } } : decoded(successor)

      return claims.sid !== sid || claims.prev !== jti
    })
    .map(({ jti }) => `what was answered for the token ${jti} is no successor of it`)
}

function grouped<T>(items: T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()

  for (const item of items) {
    groups.set(keyOf(item), (groups.get(keyOf(item)) ?? []).concat(item))
  }

  return groups
}
