import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { startApp, type TestApp } from './support/app.js'

const root = resolve(import.meta.dirname, '..')
const marker = '<<< next >>>'

interface Example {
  command: string
  /** What the README shows as its output; `…` stands for anything. */
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

/** The commands of a section, each with the output that the README shows after it. */
async function examplesOf(heading: string): Promise<Example[]> {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const section = readme.split(`## ${heading}\n`)[1]!.split('\n## ')[0]!
  const blocks = [...section.matchAll(/^```(\w*)\n(.*?)^```/gms)].map(([, language, text]) => ({
    language,
    text: text!
  }))

  return blocks.flatMap(({ language, text }, index) => {
    const next = blocks[index + 1]

    return language === 'sh' ? [{ command: text, output: next && shown(next) }] : []
  })
}

interface Block {
  language: string | undefined
  text: string
}

/** What a block says that is printed; the service prints JSON without line breaks. */
function shown({ language, text }: Block): string | undefined {
  if (language === 'sh') {
    return undefined
  }

  return language === 'json' ? JSON.stringify(JSON.parse(text)) : text
}

/** Types all commands into one shell, as a reader would, and answers what each printed. */
async function typed(examples: Example[]): Promise<string[]> {
  const script = examples
    .map(({ command }) => command.replaceAll('http://localhost:3030', t.address))
    .map((command) => (command.startsWith('npm ') ? `(cd '${root}' && ${command.trim()})` : command))
    .join(`\necho; echo '${marker}'\n`)
  const env = { ...process.env, MONGODB_URL: t.url }
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: folder,
    env
  })

  return stdout.split(marker)
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
  it('shows a journey that can be typed as it stands, with the answers that come', async () => {
    const examples = await examplesOf('A journey')
    const outputs = await typed(examples)

    assert.equal(examples.length, 7)

    examples.forEach(({ command, output }, index) => {
      if (output) {
        assert.match(outputs[index]!.trim(), asPattern(output), command)
      }
    })

    assert.match(outputs.at(-1)!, /ada@example\.com has the role admin now/)
  })
})
