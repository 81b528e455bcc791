import type { Settings } from '../support/app.js'

interface Limit {
  limit: number
  per: string
}

const plenty: Limit = { limit: 1e6, per: '1m' }

/** Settings with these limits, and none to speak of beside. */
export function limited({
  account = plenty,
  address = plenty,
  signUp = plenty,
  refresh = plenty
}: Partial<Record<'account' | 'address' | 'signUp' | 'refresh', Limit>>): Settings {
  return {
    rateLimit: { signIn: { account, address }, signUp: { address: signUp }, refresh: { address: refresh } }
  }
}

/** The header in which a proxy tells where a request came from. */
export const from = (address: string) => ({ 'X-Forwarded-For': address })
