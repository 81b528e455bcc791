import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

export const root = resolve(import.meta.dirname, '../..')

/** A fenced block of a page. */
export interface Block {
  page: string
  /** Of its fence, from 1. */
  line: number
  /** Empty where none is named. */
  language: string
  /** Of a block in a list without the indentation. */
  text: string
}

/** README.md, and all of docs/. */
export const pages: string[] = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`)
]

export const readPage = (page: string): string => readFileSync(join(root, page), 'utf8')

/** All blocks of a page, in their order. */
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
 * The one block of a page that has a part in it, to be run. Asking for it is claiming it: test/docs/complete.test.ts looks
 * for these calls in the tests, and fails for a block that none of them asks for.
 */
export function snippet(page: string, part: string): string {
  const found = blocksOf(page).filter(({ text }) => text.includes(part))

  assert.equal(found.length, 1, `${found.length} blocks of ${page} have this in them, not one: ${part}`)
  return found[0]!.text
}

/** All blocks below a heading, to be run one after another: claimed as with `snippet`. */
export function snippetsBelow(page: string, heading: string): Block[] {
  const found = blocksOf(page).filter(({ line }) => headingAt(page, line) === heading)

  assert.notEqual(found.length, 0, `${page} has no blocks below the heading ${heading}`)
  return found
}

/** The last heading before a line. */
export function headingAt(page: string, line: number): string | undefined {
  const before = readPage(page).split('\n').slice(0, line).join('\n')

  return withoutBlocks(before)
    .match(/^#+ .*$/gm)
    ?.at(-1)
    ?.replace(/^#+ /, '')
}

/** The words of a page: links and headings in its blocks are none. */
export const withoutBlocks = (text: string): string => text.replaceAll(/^( *)```\w*\n.*?^\1```$/gms, '')

/**
 * Runs a block in JavaScript with its surroundings, which its imports would bring too: at once, up to its first `await`.
 *
 * @returns the value that `wanted` has at its end
 */
// eslint-disable-next-line typescript/no-explicit-any -- a test reads what it expects
export async function runCode(code: string, scope: object, wanted = 'undefined'): Promise<any> {
  // eslint-disable-next-line typescript/no-explicit-any -- a constructor that has no name
  const AsyncFunction = (async () => {}).constructor as any
  const body = code.replaceAll(/^import .*$/gm, '')

  return new AsyncFunction(...Object.keys(scope), `${body}\nreturn ${wanted}`)(...Object.values(scope))
}

/** Types a block into a shell; rejects where a command fails. Answers what it printed. */
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

/** The commands of a block, without their comments; lines that a backslash joins are one. */
export const commandsIn = (block: string): string[] =>
  block
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.replace(/(^|\s+)#.*$/, ''))
    .filter(Boolean)

/** Fails unless an answer has the fields of the one that is shown, all of them and no others, of the same types. */
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
