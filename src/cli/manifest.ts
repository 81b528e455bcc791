import { existsSync, readFileSync } from 'node:fs'

/** What a package.json says, as far as the command goes by it. */
export interface Manifest {
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  /** The module that exports the app. */
  moult?: { app?: string }
}

/** The package.json of an app that has installed this package, where a command is called in its folder. */
export function existingManifest(): Manifest | undefined {
  const manifest = readManifest()
  const isInstalled = manifest?.dependencies?.moult ?? manifest?.devDependencies?.moult
  // One that has nothing but the package serves to call the command on a database
  const isApp = manifest?.moult?.app ?? (existsSync('src') || existsSync('config'))

  return isInstalled && isApp ? manifest : undefined
}

function readManifest(): Manifest | undefined {
  try {
    return JSON.parse(readFileSync('package.json', 'utf8')) as Manifest
  } catch {
    return undefined
  }
}
