import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { commandsIn, readPage, root, snippet } from '../support/documents.js'

const read = (file: string) => readFileSync(join(root, file), 'utf8')

describe('CONTRIBUTING.md', () => {
  const commands = [
    ...commandsIn(snippet('CONTRIBUTING.md', 'npm run dev')),
    ...commandsIn(snippet('CONTRIBUTING.md', 'npm run lint'))
  ]

  it('runs scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json'))
    const names = commands.map((command) => /^npm (?:run )?(\S+)/.exec(command)![1]!)

    assert.equal(names.length, 8)
    assert.deepEqual(
      names.filter((name) => !(name in scripts)),
      []
    )
  })

  it('selects test files by words in their paths', () => {
    const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    const words = commands.flatMap((command) => /^npm test -- (.+)/.exec(command)?.[1]!.split(' ') ?? [])

    assert.equal(words.length, 3)
    assert.deepEqual(
      words.filter((word) => !files.some((file) => file.endsWith('.test.ts') && file.includes(word))),
      []
    )
  })

  it('names the versions of Node.js that CI runs', () => {
    const [, versions] = /\*\*Node\.js (.+?)\*\*/.exec(readPage('CONTRIBUTING.md'))!
    const [, majors] = /majors = \[(.+?)\]/.exec(read('test/node-versions.ts'))!

    assert.deepEqual(versions!.match(/\d+/g), majors!.match(/\d+/g))
    assert.ok(existsSync(join(root, '.ci/run')))
  })
})
