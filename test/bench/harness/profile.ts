import type { Profiler } from 'node:inspector'
import { relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(import.meta.dirname, '../../..')

/** How a CPU profile divides, ms each. */
export interface Shares {
  total: number
  /** By the package, or part of ours, whose function ran; what Node runs by itself apart from what it runs for others. */
  byPackage: Map<string, number>
  /** By the function that ran. */
  byFunction: Map<string, number>
  /** By our own function that it ran for: what it takes with all that it calls, but not what other functions of ours take. */
  byCaller: Map<string, number>
  /** By the hook or middleware, wherever it comes from, that it ran for. */
  byStep: Map<string, number>
}

interface Frame {
  name: string
  file: string
}

/** Adds a profile up by what the functions belong to. */
export function sharesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Shares {
  const parents = new Map<number, number>()
  const byId = new Map(nodes.map((node) => [node.id, node]))

  nodes.forEach(({ id, children = [] }) => children.forEach((child) => parents.set(child, id)))

  const stacks = new Map<number, Frame[]>()
  const stackOf = (id: number): Frame[] => {
    const known = stacks.get(id)

    if (known) {
      return known
    }

    const { functionName, url, lineNumber } = byId.get(id)!.callFrame
    const file = fileOf(url)
    const frame = { name: functionName || `(anonymous, line ${lineNumber + 1})`, file }
    const parent = parents.get(id)
    const stack = parent === undefined ? [frame] : [frame, ...stackOf(parent)]

    stacks.set(id, stack)
    return stack
  }

  const shares: Shares = {
    total: 0,
    byPackage: new Map(),
    byFunction: new Map(),
    byCaller: new Map(),
    byStep: new Map()
  }

  samples.forEach((id, index) => {
    const stack = stackOf(id)
    const leaf = stack[0]!

    if (leaf.name === '(idle)' || leaf.name === '(program)') {
      return
    }

    const time = timeDeltas[index]! / 1000

    shares.total += time
    add(shares.byPackage, packageOf(leaf), time)
    add(shares.byFunction, `${leaf.name} · ${leaf.file || 'V8'}`, time)

    const own = stack.find(({ file }) => file.startsWith('lib/'))

    add(shares.byCaller, own ? `${own.name} · ${own.file}` : '(none of ours)', time)
    add(shares.byStep, stepOf(stack), time)
  })

  return shares
}

function add(shares: Map<string, number>, key: string, time: number): void {
  shares.set(key, (shares.get(key) ?? 0) + time)
}

function fileOf(url: string): string {
  return url.startsWith('file:')
    ? relative(root, fileURLToPath(url))
    : url.startsWith('/')
      ? relative(root, url)
      : url
}

/** `mongodb`, `Moult`, `node:internal/crypto`, `(garbage collector)` */
function packageOf({ name, file }: Frame): string {
  const [, installed] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file) ?? []

  return (
    installed ??
    (file.startsWith('lib/')
      ? 'Moult'
      : file === ''
        ? name.startsWith('(')
          ? name
          : 'V8 and C++'
        : partOfNode(file))
  )
}

const partOfNode = (file: string) => file.split('/').slice(0, 2).join('/')

/** The innermost package of the stack, with the file: a step of a request mostly is one file. */
function stepOf(stack: Frame[]): string {
  const frame = stack.find(({ file }) => file.includes('node_modules/') || file.startsWith('lib/'))

  return frame ? frame.file.replace(/.*node_modules\//, '') : '(Node alone)'
}

/** The largest shares. */
export function largest(shares: Map<string, number>, count: number): [string, number][] {
  return [...shares].sort(([, a], [, b]) => b - a).slice(0, count)
}
