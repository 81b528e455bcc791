import * as fc from 'fast-check'

/** The state that a session is in, when one of its tokens is presented as often as `at` says, and where. */
export interface Member {
  kind: 'fresh' | 'repeated' | 'reused' | 'disabled' | 'ended' | 'expired'
  /** The index of a process for each presentation. */
  at: number[]
}

/** Sessions of different users whose tokens are presented at the same moment, at two processes. */
export const members = (most: number): fc.Arbitrary<Member[]> =>
  fc.array(
    fc.record({
      kind: fc.constantFrom('fresh', 'fresh', 'repeated', 'reused', 'disabled', 'ended', 'expired'),
      at: fc.array(fc.nat(1), { minLength: 1, maxLength: 3 })
    }),
    { minLength: 2, maxLength: most }
  )

/** What the presentations hear, by the contract, in whatever order. */
export function due({ kind, at }: Member, hasLeeway: boolean): string[] {
  const reused = (times: number) => (times > 0 ? ['reused', ...Array<string>(times - 1).fill('revoked')] : [])
  const [all, others] = [at.length, at.length - 1]

  switch (kind) {
    case 'fresh':
      return ['granted', ...(hasLeeway ? Array<string>(others).fill('granted') : reused(others))]
    case 'repeated':
      return hasLeeway ? Array<string>(all).fill('granted') : reused(all)
    case 'reused':
      return reused(all)
    case 'ended':
      return Array<string>(all).fill('revoked')
    case 'disabled':
    case 'expired':
      return Array<string>(all).fill(kind)
  }
}
