import { writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'

const most = 8 // files of a bundle

/**
 * Puts neighbours together, to be run in one process after each other: to load the app takes longer than most files of
 * tests. In a bundle each file is a suite of its name.
 *
 * @param root what the names of the suites are relative to
 * @param folder where bundles are written
 * @returns the files to run
 */
export async function bundle(files: string[], { root, folder }: { root: string; folder: string }) {
  const bundles: string[][] = []

  for (const file of files) {
    const last = bundles.at(-1)

    if (last && last.length < most && dirname(last[0]!) === dirname(file)) {
      last.push(file)
    } else {
      bundles.push([file])
    }
  }

  return Promise.all(
    bundles.map(async (together, index) => {
      if (together.length === 1) {
        return together[0]!
      }

      const path = join(folder, `bundle-${index}.mjs`)

      await writeFile(path, programOf(together, root))
      return path
    })
  )
}

/** What a file does at its top level, such as `before`, is of its suite. */
const programOf = (files: string[], root: string): string => `import { describe } from 'node:test'
for (const [name, file] of ${JSON.stringify(files.map((file) => [relative(root, file), file]))}) {
  describe(name, async () => {
    await import(file)
  })
}
`
