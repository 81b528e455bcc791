import { build } from 'esbuild'
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { chromium, type Browser } from 'playwright-core'
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
export async function tabPage(): Promise<(app: Application) => void> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'tab-page.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    logLevel: 'error'
  })
  const files: Record<string, [type: string, text: string]> = {
    '/tab.html': [
      'text/html',
      '<!doctype html><title>Tab</title><script type="module" src="/tab.js"></script>'
    ],
    '/tab.js': ['text/javascript', outputFiles[0]!.text],
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
