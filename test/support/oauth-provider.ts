import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** What the provider tells of whoever is signed in there. */
export type Profile = Record<string, unknown>

/** A small OAuth 2 provider (RFC 6749 §4.1, RFC 7636), that asks nobody for consent. */
export interface OAuthProvider {
  address: string
  key: string
  secret: string
  /** Who is signed in at the provider. */
  profile: Profile
  /** The requests for authorization so far: their parameters. */
  asked: Record<string, string>[]
  /** Settings of it, for `authentication.oauth`. */
  settings: Record<string, unknown>
  stop(): Promise<void>
}

interface Code {
  challenge: string
  redirectUri: string
  profile: Profile
}

export async function startOAuthProvider(): Promise<OAuthProvider> {
  const codes = new Map<string, Code>()
  const tokens = new Map<string, Profile>()
  const server = createServer((request, response) => void answer(request, response))

  server.listen(0, 'localhost')
  await once(server, 'listening')

  const address = `http://localhost:${(server.address() as AddressInfo).port}`
  const provider: OAuthProvider = {
    address,
    key: 'an app',
    secret: 'of an app and its provider',
    profile: {},
    asked: [],
    settings: {
      key: 'an app',
      secret: 'of an app and its provider',
      oauth: 2,
      authorize_url: `${address}/authorize`,
      access_url: `${address}/token`,
      profile_url: `${address}/profile`
    },
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, address)
    const json = (status: number, body: object) =>
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))

    if (pathname === '/authorize') {
      const asked = Object.fromEntries(searchParams)
      const code = randomUUID()

      provider.asked.push(asked)
      codes.set(code, {
        challenge: asked.code_challenge!,
        redirectUri: asked.redirect_uri!,
        profile: provider.profile
      })
      response
        .writeHead(302, {
          Location: `${asked.redirect_uri}?${new URLSearchParams({ code, state: asked.state! })}`
        })
        .end()
    } else if (pathname === '/token') {
      const profile = redeem(new URLSearchParams(await text(request)))
      const token = randomUUID()

      if (profile) {
        tokens.set(token, profile)
        json(200, { access_token: token, token_type: 'Bearer' })
      } else {
        json(400, { error: 'invalid_grant' })
      }
    } else {
      const profile = tokens.get(request.headers.authorization?.replace('Bearer ', '') ?? '')

      json(profile ? 200 : 401, profile ?? { error: 'invalid_token' })
    }
  }

  /** Each code is good once, for the app that asked for it. */
  function redeem(form: URLSearchParams): Profile | undefined {
    const code = codes.get(form.get('code')!)
    const challenge = createHash('sha256').update(form.get('code_verifier')!).digest('base64url')

    codes.delete(form.get('code')!)

    return code?.challenge === challenge &&
      form.get('client_id') === provider.key &&
      form.get('client_secret') === provider.secret &&
      form.get('redirect_uri') === code.redirectUri
      ? code.profile
      : undefined
  }

  return provider
}
