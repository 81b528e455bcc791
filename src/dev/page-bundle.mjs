import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { readText } from './read-text.mjs'

const entry = 'public/page/main.ts'
const script = 'public/client.js'
const sources = ['public/page', 'src/client'] // the inputs of esbuild, besides node_modules
const browsers = ['chrome111', 'firefox121', 'safari16.4'] // of 2023, which page.css requires as well

/** Whether the page's script is up to date: it begins with a digest of its sources. */
export function isBundled(root) {
  if (!existsSync(join(root, entry))) return true // a project without the page
  return readText(join(root, script))?.startsWith(banner(root)) ?? false
}

/** Bundles the page's script with the Feathers client and the plug-in. */
export async function bundle(root) {
  const { build } = await import('esbuild') // here, because a production install lacks it
  await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: script,
    bundle: true,
    format: 'esm',
    target: browsers,
    minify: true,
    banner: { js: banner(root) },
    logLevel: 'warning'
  })
}

function banner(root) {
  const hash = createHash('sha256')
  for (const file of ['src/dev/page-bundle.mjs', 'package-lock.json', ...sourceFiles(root)]) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0')
  }
  return `/* Moult's page, built from ${hash.digest('base64url').slice(0, 22)} */`
}

function sourceFiles(root) {
  return sources
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => readdirSync(join(root, folder), { withFileTypes: true, recursive: true }))
    .filter((file) => file.isFile())
    .map((file) => relative(root, join(file.parentPath, file.name)))
    .sort()
}
