import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { commandsIn, pages, readPage, root, runShell, snippet, withoutBlocks } from '../support/documents.js'
import { isMoultCall } from '../support/moult.js'

const read = (file: string) => readFileSync(join(root, file), 'utf8')

// They take minutes, or .ci/run runs them: only their names and options are checked here
describe('docs/performance.md', () => {
  it('runs benchmarks that exist, with options that they have', () => {
    const { scripts } = JSON.parse(read('package.json'))
    const commands = commandsIn(snippet('docs/performance.md', 'npm run bench'))

    assert.match(scripts.bench, /test\/bench\/run\.ts$/)
    assert.equal(commands.length, 6)

    for (const command of commands) {
      const [, words] = /^npm run bench ?(.*)$/.exec(command)!
      const [names, options = ''] = words!.split('-- ')
      const sources = names!
        .split(' ')
        .filter(Boolean)
        .map((name) => read(`test/bench/${name}.bench.ts`))

      for (const [option] of options.matchAll(/--\w+/g)) {
        assert.ok(
          sources.every((source) => source.includes(`'${option}`)),
          command
        )
      }
    }
  })
})

describe('docs/node-versions.md', () => {
  const source = read('test/node-versions.ts')

  it('runs what CI runs', () => {
    const [all, one] = commandsIn(snippet('docs/node-versions.md', 'node --import tsx'))
    const [, major] = /^node --import tsx test\/node-versions\.ts (\d+)$/.exec(one!)!

    assert.ok(read('.ci/run').includes(all!))
    assert.ok(source.includes(`'${major}'`))
  })

  it('runs the whole suite on an installed version', async () => {
    const [, folder, command] = /^PATH="(\S+):\$PATH" (npm test)\n$/.exec(
      snippet('docs/node-versions.md', 'npm test')
    )!
    const [, major, inside] = /moult\/node-(\d+)\/(\S+)$/.exec(folder!)!
    const path = await runShell(`echo -n "${folder}"`)

    assert.ok('test' in JSON.parse(read('package.json')).scripts && command)
    assert.ok(source.includes(`'${inside}/node'`))

    if (existsSync(path)) {
      const printed = await runShell(`PATH="${folder}:$PATH" node --version`)

      assert.ok(printed.startsWith(`v${major}.`))
    }
  })
})

describe('the commands in the text of the documentation', () => {
  const spans = pages.flatMap((page) =>
    [...withoutBlocks(readPage(page)).matchAll(/`([^`]+)`/g)].map(([, code]) => code!)
  )
  /** The first group of each command that matches. */
  const called = (form: RegExp) => spans.flatMap((code) => form.exec(code)?.[1] ?? [])

  it('are npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json'))
    const names = called(/^npm (?:run (?:--silent )?)?(start|test|(?<=run (?:--silent )?)\S+)/)

    assert.ok(names.length > 10)
    assert.deepEqual(
      names.filter((name) => !(name in scripts)),
      []
    )
  })

  it('are benchmarks that exist', () => {
    const names = called(/^npm run bench (?:-- )?(.+?)(?: -- .*)?$/).flatMap((words) => words.split(' '))

    assert.ok(names.length > 2)
    assert.deepEqual(
      names.filter((name) => !existsSync(join(root, `test/bench/${name}.bench.ts`))),
      []
    )
  })

  it('are commands of moult that exist', () => {
    const calls = called(/^(?:npm run (?:--silent )?moult --|npx moult|moult) (.+)/)

    assert.ok(calls.length > 5)
    assert.deepEqual(
      calls.filter((call) => !isMoultCall(call.split(' '))),
      []
    )
  })
})
