import { transform } from 'esbuild'
import { readdirSync } from 'node:fs'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * Compiles the tests once for all processes, which saves each of them the start of a compiler. They take `lib/` for
 * `src/`: what is tested is what is published. `import.meta` still names the source, for the files beside it.
 *
 * @param folder where `test/` is written, beside links to `lib/` and the packages
 */
export async function build(root: string, folder: string): Promise<void> {
  await symlink(join(root, 'lib'), join(folder, 'src'))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')

  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.startsWith('fixtures')
  )

  await Promise.all(
    files.map(async (file) => {
      const source = join(root, 'test', file)
      const compiled = builtOf(join(folder, 'test', file))
      const { code } = await transform(await readFile(source, 'utf8'), {
        loader: 'ts',
        target: 'node20',
        sourcemap: 'inline',
        sourcesContent: false,
        sourcefile: source,
        define: {
          'import.meta.dirname': JSON.stringify(dirname(source)),
          'import.meta.filename': JSON.stringify(source),
          'import.meta.url': JSON.stringify(pathToFileURL(source).href)
        }
      })

      await mkdir(dirname(compiled), { recursive: true })
      await writeFile(compiled, code)
    })
  )
}

/** The compiled file of a source. */
export const builtOf = (file: string): string => file.replace(/\.ts$/, '.js')
