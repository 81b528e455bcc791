#!/usr/bin/env node
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { existingManifest } from './cli/manifest.js'

const isOfAnApp = existingManifest() !== undefined

// Installed as a package, and called where there are neither settings of its own nor an app: those that it came with.
// Said before anything loads node-config, which reads them at once
if (!process.env.NODE_CONFIG_DIR && !existsSync('config') && !isOfAnApp) {
  process.env.NODE_CONFIG_DIR = resolve(import.meta.dirname, '../config')
}

if (isOfAnApp) {
  process.env.SUPPRESS_NO_CONFIG_WARNING ??= 'yes' // it may have settings of another kind
}

const { moult } = await import('./cli/moult.js')

process.exitCode = await moult(process.argv)

// The app may hold connections of its own, which keep the process from its end
if (isOfAnApp) {
  process.stdout.write('', () => process.exit())
}
