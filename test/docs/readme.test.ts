import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { startApp, type TestApp } from '../support/app.js'
import { root, snippet, snippetsBelow, type Block } from '../support/documents.js'

const marker = '<<< next >>>\n'

interface Example {
  command: string
  /** The output that the README shows; `…` stands for anything. */
  output: string | undefined
}

let t: TestApp
let folder: string

before(async () => {
  t = await startApp()
  folder = await mkdtemp(join(tmpdir(), 'moult-readme-'))
})

after(async () => {
  await t.stop()
  await rm(folder, { recursive: true })
})

/** The commands of a section, each with the output shown after it. */
function examplesIn(blocks: Block[]): Example[] {
  return blocks.flatMap(({ language, text }, index) => {
    const next = blocks[index + 1]

    return language === 'sh' ? [{ command: text, output: next && shown(next) }] : []
  })
}

/** The output that a block shows. The service prints JSON on one line. */
function shown({ language, text }: Block): string | undefined {
  if (language === 'sh') {
    return undefined
  }

  return language === 'json' ? JSON.stringify(JSON.parse(text)) : text
}

/** Runs all commands in one shell, as a reader would, and returns what each printed. */
async function typed(examples: Example[]): Promise<string[]> {
  const script = examples
    .map(({ command }) => command.replaceAll('http://localhost:3030', t.address))
    .map((command) => (command.startsWith('npm ') ? `(cd '${root}' && ${command.trim()})` : command))
    .map((command) => `${command}\nprintf '%s' '${marker}'\n`)
    .join('')
  const env = { ...process.env, MONGODB_URL: t.url }
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: folder,
    env
  })

  return stdout.split(marker).slice(0, -1)
}

const asPattern = (output: string) =>
  new RegExp(
    `^${output
      .trim()
      .split('…')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.+?')}$`
  )

describe('the README', () => {
  it('shows a tour that can be typed as it stands, with the output of each command', async () => {
    const examples = examplesIn(snippetsBelow('README.md', 'A quick tour'))
    const outputs = await typed(examples)

    assert.equal(examples.length, 7)

    examples.forEach(({ command, output }, index) => {
      if (output) {
        assert.match(outputs[index]!.trim(), asPattern(output), command)
      }
    })

    assert.match(outputs.at(-1)!, /ada@example\.com has the role admin now/)
    assert.deepEqual(
      outputs.filter((output) => !output.endsWith('\n')),
      [],
      'output without a final line break'
    )
    assert.deepEqual(await readdir(folder), [], "files in the reader's folder, which may hold tokens")
  })

  it('begins with two npm scripts and the address of the service', async () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const { host, port } = JSON.parse(readFileSync(join(root, 'config/default.json'), 'utf8'))
    const block = snippet('README.md', 'npm start')
    const commands = [...block.matchAll(/^npm (\S+) +#/gm)].map(([, name]) => name!)

    // test/docs/operations.test.ts runs the first; the second runs this
    assert.deepEqual(commands, ['start', 'test'])
    assert.ok(commands.every((name) => name in scripts))
    assert.match(block, new RegExp(`http://${host}:${port}$`, 'm'))
  })

  it('shows the client as in docs/client.md, whose tests run it', () => {
    assert.equal(snippet('README.md', 'RefreshTokenClient'), snippet('docs/client.md', 'moult/client'))
  })

  it('shows rotation as in docs/sessions.md, whose tests act it out', () => {
    const figure = snippet('README.md', 'remembered  root')
    const leeway = (text: string) => /within (\d+) s/.exec(text)![1]

    assert.equal(leeway(figure), leeway(snippet('docs/sessions.md', 'sign-in: answers A')))
    assert.deepEqual(figure.split('\n')[1]!.match(/[A-Z]/g), ['A', 'B', 'C', 'D'])
    assert.match(figure, /^ A comes again while A is remembered .*[^]* another B is handed out$/m)
    assert.match(
      figure,
      /^ A comes again once B is remembered .* the session ends, everywhere \(reason `reused`\)$/m
    )
  })
})
