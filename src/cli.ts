#!/usr/bin/env node
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

// Installed as a package, and called where there are no settings of its own: those that it came with.
// Said before anything loads node-config, which reads them at once
if (!process.env.NODE_CONFIG_DIR && !existsSync('config')) {
  process.env.NODE_CONFIG_DIR = resolve(import.meta.dirname, '../config')
}

const { moult } = await import('./cli/moult.js')

process.exitCode = await moult(process.argv)
