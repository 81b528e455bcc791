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

/** Chromium, without what it would ask of the network by itself. @throws Error where there is none */
export const startChromium = (): Promise<Browser> => {
  assert.ok(executablePath, 'Chromium is missing: install it (apt-get install chromium)')

  return chromium.launch({
    executablePath,
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
    '/tab.js': ['text/javascript', outputFiles[0]!.text]
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
