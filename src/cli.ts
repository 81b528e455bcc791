#!/usr/bin/env node
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { existingManifest } from './cli/manifest.js'

const isOfAnApp = existingManifest() !== undefined

// Where there is neither a config/ nor an app, the settings of this package apply. Must be set before node-config is
// loaded, which reads them at once
if (!process.env.NODE_CONFIG_DIR && !existsSync('config') && !isOfAnApp) {
  process.env.NODE_CONFIG_DIR = resolve(import.meta.dirname, '../config')
}

if (isOfAnApp) {
  process.env.SUPPRESS_NO_CONFIG_WARNING ??= 'yes' // it may keep its settings elsewhere
}

const { moult } = await import('./cli/moult.js')

process.exitCode = await moult(process.argv)

// The app may hold connections of its own, which would keep the process running
if (isOfAnApp) {
  process.stdout.write('', () => process.exit())
}
