import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

export const root = resolve(import.meta.dirname, '../..')

/** A fenced code block of a page. */
export interface Block {
  page: string
  /** The line of its fence, from 1. */
  line: number
  /** Empty if the fence names none. */
  language: string
  /** Without the indentation of a list. */
  text: string
}

/** The documents for readers: those at the root, and all of docs/. */
export const pages: string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(join(root, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`)
]

export const readPage = (page: string): string => readFileSync(join(root, page), 'utf8')

/** All code blocks of a page, in order. */
export function blocksOf(page: string): Block[] {
  return blocksIn(readPage(page)).map((block) => ({ page, ...block }))
}

function blocksIn(text: string): Omit<Block, 'page'>[] {
  return [...text.matchAll(/^( *)```(\w*)\n(.*?)^\1```$/gms)].map(
    ([, indent, language, code], index, all) => ({
      line: text.slice(0, all[index]!.index).split('\n').length,
      language: language!,
      text: code!.replaceAll(new RegExp(`^${indent}`, 'gm'), '')
    })
  )
}

/**
 * The one code block of a page that contains `part`, to be run by a test. test/docs/complete.test.ts looks for these
 * calls and fails if there is a block that no test asks for.
 */
export function snippet(page: string, part: string): string {
  const found = blocksOf(page).filter(({ text }) => text.includes(part))

  assert.equal(found.length, 1, `${found.length} blocks of ${page} contain this, instead of one: ${part}`)
  return found[0]!.text
}

/** All code blocks below a heading, to be run one after another; counts as asking for them, like `snippet`. */
export function snippetsBelow(page: string, heading: string): Block[] {
  const found = blocksOf(page).filter(({ line }) => headingAt(page, line) === heading)

  assert.notEqual(found.length, 0, `${page} has no blocks below the heading ${heading}`)
  return found
}

/** The heading above a line. */
export function headingAt(page: string, line: number): string | undefined {
  const before = readPage(page).split('\n').slice(0, line).join('\n')

  return withoutBlocks(before)
    .match(/^#+ .*$/gm)
    ?.at(-1)
    ?.replace(/^#+ /, '')
}

/** A page without its code blocks. */
export const withoutBlocks = (text: string): string => text.replaceAll(/^( *)```\w*\n.*?^\1```$/gms, '')

/**
 * Runs a block of JavaScript, with `scope` in place of its imports. It starts synchronously.
 *
 * @returns the value of the expression `wanted` afterwards
 */
// eslint-disable-next-line typescript/no-explicit-any -- tests know what they get
export async function runCode(code: string, scope: object, wanted = 'undefined'): Promise<any> {
  // eslint-disable-next-line typescript/no-explicit-any -- a constructor without a name
  const AsyncFunction = (async () => {}).constructor as any
  const body = code.replaceAll(/^import .*$/gm, '')

  return new AsyncFunction(...Object.keys(scope), `${body}\nreturn ${wanted}`)(...Object.values(scope))
}

/** Runs a block in a shell and returns what it printed. Rejects if a command fails. */
export async function runShell(
  script: string,
  options: { cwd?: string; env?: object } = {}
): Promise<string> {
  const { cwd = root, env = {} } = options
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
    cwd,
    env: { ...process.env, ...env }
  })

  return stdout
}

/** The commands of a block, without comments; lines joined by a backslash are one. */
export const commandsIn = (block: string): string[] =>
  block
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.replace(/(^|\s+)#.*$/, ''))
    .filter(Boolean)

/** Fails unless a response has exactly the fields of the one shown, with the same types. */
export function assertLike(actual: unknown, shown: unknown): void {
  assert.deepEqual(typesIn(actual), typesIn(shown))
}

function typesIn(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(typesIn)
  }

  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, typesIn(inner)]))
    : typeof value
}
