import { BadRequest } from '@feathersjs/errors'
import type { Params } from '@feathersjs/feathers'
import type { Caller, Factor } from './factor.js'
import type { Added, Factors } from './factors.js'

export type FactorData = { kind: 'totp' } | { kind: 'recovery-codes' }

export interface FactorPatch {
  code: string
  name?: string
}

/** The service `factors`: those of the user who is signed in. */
export class FactorService {
  private readonly factors: Factors

  constructor(factors: Factors) {
    this.factors = factors
  }

  /** The factors, and how many recovery codes are left. */
  async find(params: Params): Promise<Factor[]> {
    return this.factors.list(callerOf(params).userId)
  }

  /** Begins to add an app for codes, or makes new recovery codes: the secrets in the answer can't be read again. */
  async create({ kind }: FactorData, params: Params): Promise<object> {
    const caller = callerOf(params)

    return kind === 'totp' ? this.factors.begin(caller) : this.factors.renewCodes(caller)
  }

  /** Adds the app that was begun, by a code of it. @throws NotFound; BadRequest `invalid` */
  async patch(id: string, { code, name }: FactorPatch, params: Params): Promise<Added> {
    return this.factors.confirm(callerOf(params), requireId(id), code, name)
  }

  /** @throws NotFound; Conflict for the last way in */
  async remove(id: string, params: Params): Promise<Factor> {
    return this.factors.remove(callerOf(params), requireId(id))
  }
}

/** Of an access token that belongs to a session: `authenticate('jwt')` has verified it. */
export function callerOf(params: Params & { authentication?: { payload?: Record<string, string> } }): Caller {
  const { sub, sid } = params.authentication!.payload!

  return { userId: sub!, sessionId: sid!, params }
}

function requireId(id: unknown): string {
  if (typeof id !== 'string') {
    throw new BadRequest('The id of the factor is missing')
  }

  return id
}
