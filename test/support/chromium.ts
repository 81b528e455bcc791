import { build } from 'esbuild'
import { join } from 'node:path'
import { chromium, type Browser } from 'playwright-core'
import type { Application } from '../../src/declarations.js'

/** Debian's Chromium, without what it would ask of the network by itself. */
export const startChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath: '/usr/bin/chromium',
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

      ;[ctx.type, ctx.body] = file
    })
}
