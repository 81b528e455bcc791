import { build } from 'esbuild'
import assert from 'node:assert/strict'
import { join, resolve } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'

const root = resolve(import.meta.dirname, '../..')

const bundle = () =>
  build({
    entryPoints: [join(root, 'src/client/index.ts')],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    target: 'es2022',
    platform: 'neutral',
    external: ['@feathersjs/*']
  })

describe('the client, bundled', () => {
  // docs/client.md says what they buy
  it('weighs less than 7.1 kB beyond what it builds on', async () => {
    const { outputFiles } = await bundle()
    const size = gzipSync(outputFiles[0]!.contents, { level: 9 }).length

    console.log(`${size} bytes, gzipped`)
    assert.ok(size < 7100, `${size} bytes`)
  })

  it('depends on nothing but the official client packages, and takes only types from the service', async () => {
    const { metafile } = await bundle()
    const imports = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path))

    assert.deepEqual([...new Set(imports)].sort(), [
      '@feathersjs/authentication-client',
      '@feathersjs/errors'
    ])
    assert.ok(Object.keys(metafile.inputs).every((path) => path.includes('src/client/')))
  })
})
