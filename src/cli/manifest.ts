import { existsSync, readFileSync } from 'node:fs'

/** The parts of a package.json that matter to the command. */
export interface Manifest {
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  /** The module that exports the app. */
  moult?: { app?: string }
}

/** The package.json in the current folder, if it is that of an app that has installed this package. */
export function existingManifest(): Manifest | undefined {
  const manifest = readManifest()
  const isInstalled = manifest?.dependencies?.moult ?? manifest?.devDependencies?.moult
  // A folder with nothing but the package only serves to run the command
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
