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

/** A call in a test that asks for a block, `snippet(page, part)`, or for all below a heading, `snippetsBelow(page, heading)`. */
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

/** The anchors that GitHub gives to the headings of a page. */
const anchorsOf = (page: string): string[] =>
  (withoutBlocks(readPage(page)).match(/^#+ .*$/gm) ?? []).map((heading) =>
    heading
      .replace(/^#+ /, '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
  )

describe('README.md and docs/', () => {
  for (const page of pages) {
    it(`${page} shows nothing that no test runs`, () => {
      const left = blocksOf(page)
        .filter((block) => !claims.some(({ covers }) => covers(block)))
        .map(({ line, text }) => `${page}:${line}  ${text.split('\n')[0]}`)

      assert.deepEqual(left, [], 'have a test ask for them by snippet(), of test/support/documents.ts')
    })

    it(`${page} links to what there is`, () => {
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

  it('has in no test the name of a page that there is not', () => {
    assert.deepEqual(
      claims.filter(({ page }) => !pages.includes(page)).map(({ file }) => file),
      []
    )
  })
})
