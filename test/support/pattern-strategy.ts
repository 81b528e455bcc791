import type { AuthenticationRequest } from '@feathersjs/authentication'
import { Type } from '@feathersjs/typebox'
import { timingSafeEqual } from 'node:crypto'
import { FactorStrategy, Refused, type AskedFactor } from '../../src/refresh-token/index.js'

/** A confirmed pattern, in `factors` on the user document. */
interface PatternFactor {
  id: string
  kind: 'pattern'
  hash: string
}

/** Completes a login: `{ strategy: 'pattern', challenge, pattern }`; or a step-up, without a challenge. */
export class PatternStrategy extends FactorStrategy {
  readonly #hash: (pattern: string) => string

  constructor(hash: (pattern: string) => string) {
    super()
    this.#hash = hash
  }

  override fields() {
    return { pattern: Type.String() }
  }

  /** @throws Refused `invalid` */
  override async verify({ user }: AskedFactor, { pattern }: AuthenticationRequest) {
    const factors = (user.factors ?? []) as PatternFactor[]
    const factor = factors.find(({ kind }) => kind === 'pattern')

    if (!factor || !timingSafeEqual(Buffer.from(factor.hash), Buffer.from(this.#hash(pattern)))) {
      throw new Refused('invalid')
    }

    return { amr: ['kba'], used: { factor: { id: factor.id }, set: { usedAt: new Date() } } }
  }
}
