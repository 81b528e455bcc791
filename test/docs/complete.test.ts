import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, it } from 'node:test'
import {
  blocksOf,
  headingAt,
  pages,
  readPage,
  root,
  withoutBlocks,
  type Block
} from '../support/documents.js'

/** A test's use of a block, `snippet(page, part)`, or of all blocks below a heading, `snippetsBelow(page, heading)`. */
interface Claim {
  file: string
  page: string
  covers(block: Block): boolean
}

const call = /\b(snippet|snippetsBelow)\(\s*'([^']+)',\s*(['"`])(.+?)\3\s*\)/g

const claims: Claim[] = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .flatMap((file) =>
    [...readFileSync(join(root, 'test', file), 'utf8').matchAll(call)].map(([, name, page, , words]) => ({
      file,
      page: page!,
      covers: (block) =>
        block.page === page &&
        (name === 'snippet' ? block.text.includes(words!) : headingAt(block.page, block.line) === words)
    }))
  )

/** The anchors of a page's headings on GitHub. */
const anchorsOf = (page: string): string[] =>
  (withoutBlocks(readPage(page)).match(/^#+ .*$/gm) ?? []).map((heading) =>
    heading
      .replace(/^#+ /, '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
  )

describe('the documentation', () => {
  for (const page of pages) {
    it(`${page} has a test for each block`, () => {
      const left = blocksOf(page)
        .filter((block) => !claims.some(({ covers }) => covers(block)))
        .map(({ line, text }) => `${page}:${line}  ${text.split('\n')[0]}`)

      assert.deepEqual(left, [], 'let a test run these blocks: see snippet() in test/support/documents.ts')
    })

    it(`${page} has no broken links`, () => {
      const links = [...withoutBlocks(readPage(page)).matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, target]) => target!)
        .filter((target) => !/^https?:/.test(target))
      const broken = links.filter((target) => {
        const [path, anchor] = target.split('#')
        const file = path ? resolve(root, dirname(page), path) : join(root, page)

        return !existsSync(file) || (anchor && !anchorsOf(relative(root, file)).includes(anchor))
      })

      assert.deepEqual(broken, [])
    })
  }

  it('names files that exist', () => {
    const ofOtherApps = [
      'src/app.js',
      'src/api-key-strategy.ts',
      'src/pattern-strategy.ts',
      'src/services/sessions.ts'
    ]
    const missing = pages.flatMap((page) =>
      [...withoutBlocks(readPage(page)).matchAll(/`((?:src|test|public|config|\.ci)\/[^`*\s]*)`/g)]
        .map(([, path]) => path!)
        .filter((path) => !existsSync(join(root, path)) && !ofOtherApps.includes(path))
        .map((path) => `${page}: ${path}`)
    )

    assert.deepEqual(missing, [])
  })

  it('imports modules that exist, in code for this service', () => {
    const missing = ['docs/custom-strategy.md', 'docs/events.md'].flatMap((page) =>
      [...readPage(page).matchAll(/ from '\.\/(.+)\.js'$/gm)]
        .map(([, path]) => `src/${path}.ts`)
        .filter((path) => !existsSync(join(root, path)))
        .map((path) => `${page}: ${path}`)
    )

    assert.deepEqual(missing, [])
  })

  it('lists each page of docs/ in its index', () => {
    const index = readPage('docs/README.md')
    const missing = pages
      .map((page) => relative('docs', page))
      .filter((page) => !page.startsWith('..') && page !== 'README.md' && !index.includes(`](${page})`))

    assert.deepEqual(missing, [], 'add them to docs/README.md')
  })

  it('is named correctly in tests', () => {
    assert.deepEqual(
      claims.filter(({ page }) => !pages.includes(page)).map(({ file }) => file),
      []
    )
  })
})
