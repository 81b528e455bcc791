import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { readText } from './read-text.mjs'

// The scripts of the page, each with its source; those after the first are loaded when they are needed
const scripts = {
  client: 'public/page/main.ts',
  passkeys: 'public/page/webauthn.ts',
  qr: 'public/page/qr.ts'
}
const sources = ['public/page', 'src/client'] // the inputs of esbuild, besides node_modules
const browsers = ['chrome111', 'firefox121', 'safari16.4'] // of 2023, which page.css requires as well

/** Whether the page's scripts are up to date: each begins with a digest of the sources. */
export function isBundled(root) {
  const names = Object.keys(scriptsOf(root))
  if (names.length === 0) return true // a project without the page
  const expected = banner(root)
  return names.every((name) => readText(join(root, `public/${name}.js`))?.startsWith(expected))
}

/** Bundles the page's scripts; the first has the Feathers client and the plug-in. */
export async function bundle(root) {
  const { build } = await import('esbuild') // here, because a production install lacks it
  await build({
    absWorkingDir: root,
    entryPoints: scriptsOf(root),
    outdir: 'public',
    bundle: true,
    splitting: true, // so that import() loads another of these scripts
    chunkNames: '[name]', // what they share is one file, which the next build replaces
    format: 'esm',
    target: browsers,
    minify: true,
    banner: { js: banner(root) },
    logLevel: 'warning'
  })
}

/** Those that there are: a project may be without the page. */
const scriptsOf = (root) =>
  Object.fromEntries(Object.entries(scripts).filter(([, source]) => existsSync(join(root, source))))

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
