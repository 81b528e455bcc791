import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, it } from 'node:test'
import { readPage, root, snippet } from '../support/documents.js'

const page = readPage('docs/architecture.md')
const heart = join(root, 'src/refresh-token')
const figure = snippet('docs/architecture.md', 'the public API')

/** The part below a heading. */
const partBelow = (heading: string): string => page.split(`\n${heading}\n`)[1]!.split(/\n##/)[0]!

/** The rooms of the figure from top to bottom, by name. */
const rooms = [...figure.matchAll(/^(?:[├└]─ )?([a-z-]+)/gm)].map(([, room]) => room!)

// They stand on one level and don't import each other
const siblings = [
  ['hooks', 'oauth'],
  ['live', 'entity']
]
const errors = ['errors', 'consequences', 'database-errors', 'validation']

/** The room of the heart that a path belongs to; undefined outside it. */
function roomOf(path: string): string | undefined {
  const [first] = relative(heart, path).split('/')
  const room = first!.replace(/\.[jt]s$/, '')

  return errors.includes(room) ? 'errors' : room === 'internal' ? 'index' : room
}

const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file))

const foldersOf = (folder: string): string[] => [
  ...new Set(
    filesOf(folder)
      .map((file) => relative(folder, file).split('/'))
      .flatMap(([first, ...rest]) => (rest.length > 0 ? first! : []))
  )
]

const importsOf = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from|import) '(\.[^']+)'/g)].map(([, path]) =>
    resolve(dirname(file), path!)
  )

describe('the page on the architecture', () => {
  it('names files and folders that exist', () => {
    const paths = [...page.matchAll(/`((?:src|test|docs|config|public)\/[^`\s]*)`/g)].map(([, path]) => path!)

    assert.ok(paths.length > 20)
    assert.deepEqual(
      paths.filter((path) => !existsSync(join(root, path))),
      []
    )
  })

  it('lists first the six files of rotation, which can be read in one sitting', () => {
    const part = partBelow('## Rotation in one sitting')
    const files = [...part.matchAll(/^\d\. `([^`]+)`/gm)].map(([, file]) => file!)
    const lines = files.map((file) => readFileSync(join(root, file), 'utf8').split('\n').length - 1)

    assert.equal(page.split(/^## /m)[1]!.startsWith('Rotation'), true)
    assert.equal(files.length, 6)
    assert.ok(lines.reduce((sum, count) => sum + count) <= 800, `${lines.join(' + ')} lines`)
  })

  it('draws all folders of the heart', () => {
    const folders = rooms.filter((room) => existsSync(join(heart, room)))

    assert.deepEqual([...folders].sort(), foldersOf(heart).sort())
    assert.deepEqual(
      rooms.filter((room) => !folders.includes(room) && !existsSync(join(heart, `${room}.ts`))),
      []
    )
  })

  it('draws the arrows as they are: each folder of the heart imports from those below it only', () => {
    const wrong = filesOf(heart).flatMap((file) =>
      importsOf(file)
        .filter((path) => {
          const [from, to] = [roomOf(file)!, roomOf(path)!]
          const areSiblings = siblings.some((level) => level.includes(from) && level.includes(to))

          return from !== to && (areSiblings || rooms.indexOf(to) <= rooms.indexOf(from))
        })
        .map((path) => `${relative(root, file)} imports ${relative(root, path)}`)
    )

    assert.deepEqual(wrong, [])
  })

  it('tells the job of each folder of the service', () => {
    const listed = [...partBelow('### The service').matchAll(/^\| `([a-z-]+)\/`/gm)].map(
      ([, folder]) => folder!
    )

    assert.deepEqual(
      [...listed].sort(),
      foldersOf(join(root, 'src'))
        .filter((folder) => folder !== 'refresh-token')
        .sort()
    )
  })
})

describe('the rest of src/', () => {
  it('reaches the heart only through its public API, internal.ts and oauth/index.ts', () => {
    const doors = ['index.js', 'internal.js', 'oauth/index.js'].map((file) => join(heart, file))
    const others = filesOf(join(root, 'src'))
      .filter((file) => !file.startsWith(`${heart}/`))
      .flatMap((file) =>
        importsOf(file)
          .filter((path) => path.startsWith(`${heart}/`) && !doors.includes(path))
          .map((path) => `${relative(root, file)} imports ${relative(root, path)}`)
      )

    assert.deepEqual(others, [])
  })
})
