import { build } from 'esbuild'
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { chromium, type Browser, type Page } from 'playwright-core'
import type { Application } from '../../src/declarations.js'

const places = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser']
const executablePath = places.find((path) => path !== undefined && existsSync(path))

/** Why tests in a browser are skipped here, for the option `skip`; in CI none is. */
export const withoutChromium: string | false =
  executablePath === undefined && process.env.CI !== 'true'
    ? 'there is no Chromium: install it (apt-get install chromium), or set CHROMIUM to its path'
    : false

/**
 * Chromium, without what it would ask of the network by itself.
 *
 * @param options `keepPages` turns on the back/forward cache, which Playwright turns off
 * @throws Error where there is none
 */
export const startChromium = ({ keepPages = false } = {}): Promise<Browser> => {
  assert.ok(executablePath, 'Chromium is missing: install it (apt-get install chromium)')

  return chromium.launch({
    executablePath,
    ...(keepPages && { ignoreDefaultArgs: ['--disable-back-forward-cache'] }),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync'
    ]
  })
}

// A service worker that answers everything but pages by itself, once a page tells it to
const worker = `let isOffline = false
  addEventListener('message', ({ data, ports }) => { isOffline = data; ports[0].postMessage('done') })
  addEventListener('install', () => skipWaiting())
  addEventListener('activate', (event) => event.waitUntil(clients.claim()))
  addEventListener('fetch', (event) => {
    if (isOffline && event.request.mode !== 'navigate') {
      event.respondWith(Response.json({ error: 'offline' }))
    }
  })`

/** Has the service serve a page, at `/tab.html`, that runs `tab-page.ts`. */
export const tabPage = async (): Promise<(app: Application) => void> => pageOf('tab', await bundled('tab'))

/** Has the service serve a page, at `/passkey.html`, that runs `passkey-page.ts`, or another script. */
export const passkeyPage = async (script?: string): Promise<(app: Application) => void> =>
  pageOf('passkey', script ?? (await bundled('passkey')))

async function bundled(name: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, `${name}-page.ts`)],
    bundle: true,
    write: false,
    format: 'esm',
    logLevel: 'error'
  })

  return outputFiles[0]!.text
}

function pageOf(name: string, script: string): (app: Application) => void {
  const files: Record<string, [type: string, text: string]> = {
    [`/${name}.html`]: [
      'text/html',
      `<!doctype html><title>Page</title><input autocomplete="username webauthn"><script type="module" src="/${name}.js"></script>`
    ],
    [`/${name}.js`]: ['text/javascript', script],
    '/worker.js': ['text/javascript', worker]
  }

  return (app) =>
    app.use(async (ctx, next) => {
      const file = files[ctx.path]

      if (!file) {
        await next()
        return
      }

      // The service allows no frames, and this page has some
      ctx.remove('X-Frame-Options')
      ctx.remove('Content-Security-Policy')
      ;[ctx.type, ctx.body] = file
    })
}

/** What the virtual authenticator of a page is like: a phone or a laptop that knows its user, unless it says otherwise. */
export interface VirtualAuthenticator {
  protocol?: 'ctap2' | 'u2f'
  transport?: 'internal' | 'usb'
  hasResidentKey?: boolean
  hasUserVerification?: boolean
  isUserVerified?: boolean
}

/** Gives a page an authenticator of Chromium's own, whose user is there and says yes. Answers what can be told of it. */
export async function addAuthenticator(page: Page, options: VirtualAuthenticator = {}) {
  const cdp = await page.context().newCDPSession(page)

  await cdp.send('WebAuthn.enable')

  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
      ...options
    }
  })

  return {
    credentials: async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
    /** Whether the user is there: if not, what is asked waits for them. */
    setPresent: (enabled: boolean) =>
      cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled }),
    setUserVerified: (isUserVerified: boolean) =>
      cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified }),
    remove: () => cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId })
  }
}
