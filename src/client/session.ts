import type { AuthenticationResult } from '@feathersjs/authentication'
import type { Core } from './core.js'
import type { SessionEndReason } from './options.js'
import { lifeOf, plan, schedule } from './schedule.js'
import { newKey } from './session-storage.js'
import type { Tokens } from './tabs.js'

// Who is signed in. What changes is kept in the storage, and told to the other tabs and to the app.

/** Takes over an answer of the service. @param askedAt ms since 1970 */
export async function keep(
  core: Core,
  answer: AuthenticationResult,
  askedAt: number,
  isSignIn = false
): Promise<void> {
  const { cookie, refreshTokenField } = core.client.options
  const { [refreshTokenField!]: refreshToken, ...result } = answer
  const expiresAt = askedAt + lifeOf(result)

  if (refreshToken || (cookie && result.session)) {
    const from = core.kept?.key
    const kept = (core.kept = { key: newKey(), refreshToken })

    await core.storage.write(kept)

    if (core.kept !== kept) {
      return // somebody signed out meanwhile
    }

    core.tabs.tell({ key: kept.key, from, result, expiresAt })
  } else {
    core.kept = undefined
    await core.storage.write(undefined)
    await core.client.setAccessToken(result.accessToken)
  }

  take(core, result, expiresAt, isSignIn)
}

/** Takes the result that another tab told of last, if that is kept under this key, or replaces what was. */
export function adopt(core: Core, end: 'key' | 'from', key: string | undefined): boolean {
  // That of an end has no key
  const news = core.tabs.news as Tokens | undefined

  if (!key || news?.[end] !== key) {
    return false
  }

  core.kept = { key: news.key }
  take(core, news.result, news.expiresAt)
  return true
}

function take(core: Core, result: AuthenticationResult, expiresAt: number, isSignIn = false): void {
  const { app } = core.client
  const isOther = isSignIn || !core.result || core.result.session?.id !== result.session?.id

  core.result = result
  core.expiresAt = expiresAt
  show(core)
  plan(core)

  // Whoever is signing in looks again: beginning anew here, tokens that are refused would be renewed for ever
  if (!core.signing) {
    core.link?.signIn()
  }

  if (isOther) {
    app.emit('login', result)
    app.emit('authenticated', result)
  } else {
    app.emit('refreshed', result)
  }
}

/** It is over, here and in the other tabs. @param reason `null`: signed out */
export async function end(
  core: Core,
  reason: SessionEndReason | null,
  answer: AuthenticationResult | null = null
): Promise<void> {
  const { app } = core.client

  if (!core.kept) {
    return
  }

  const wasKnown = core.kept.refreshToken ?? core.result

  core.kept = core.result = undefined
  show(core)
  schedule(core, Infinity)
  core.tabs.tell({ key: null, reason })
  await core.storage.write(undefined)

  if (wasKnown) {
    app.emit(reason ? 'session-ended' : 'logout', reason ?? answer)
  }
}

/** As the stock client does when its only token is refused. */
export async function forget(core: Core): Promise<void> {
  core.result = undefined
  await core.client.removeAccessToken()
  show(core)
}

/** Shows the app who is signed in. */
export function show({ client, result }: Core): void {
  client.authenticated = Boolean(result)
  client.app.set('authentication', result ? Promise.resolve(result) : null)
}
