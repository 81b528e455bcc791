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
  /** By the nearest file of a package or of ours on the stack: with what Node and V8 do for it. */
  byFile: Map<string, number>
  /**
   * By each function of Moult, Feathers and Koa on the stack: with all that it calls. What comes after an `await` has a
   * stack of its own, so a hook has what follows it only as far as that runs at once.
   */
  inclusive: Map<string, number>
}

interface Frame {
  name: string
  file: string
}

/** Adds profiles up by what the functions belong to. */
export function sharesOf(profiles: Profiler.Profile[]): Shares {
  const shares: Shares = {
    total: 0,
    byPackage: new Map(),
    byFunction: new Map(),
    byFile: new Map(),
    inclusive: new Map()
  }

  profiles.forEach((profile) => addProfile(shares, profile))

  return shares
}

function addProfile(shares: Shares, { nodes, samples = [], timeDeltas = [] }: Profiler.Profile): void {
  const stackOf = stacksOf(nodes)

  samples.forEach((id, index) => {
    const stack = stackOf(id)
    const leaf = stack[0]!

    // Nor what the profiler itself takes
    if (
      leaf.name === '(idle)' ||
      leaf.name === '(program)' ||
      stack.some(({ file }) => file.endsWith('probe.mjs'))
    ) {
      return
    }

    const time = timeDeltas[index]! / 1000

    shares.total += time
    add(shares.byPackage, packageOf(leaf), time)
    add(shares.byFunction, `${leaf.name} · ${leaf.file || 'V8'}`, time)

    add(shares.byFile, nearestFile(stack), time)

    for (const name of new Set(
      stack.filter(isStep).map(({ name, file }) => `${name} · ${inPackage(file)}`)
    )) {
      add(shares.inclusive, name, time)
    }
  })
}

/** The stack of a node of a profile, the innermost frame first. */
function stacksOf(nodes: Profiler.ProfileNode[]): (id: number) => Frame[] {
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

  return stackOf
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

function nearestFile(stack: Frame[]): string {
  const frame = stack.find(({ file }) => file.includes('node_modules/') || file.startsWith('lib/'))

  return frame ? inPackage(frame.file) : '(Node alone)'
}

const inPackage = (file: string) => file.replace(/.*node_modules\//, '')

const isStep = ({ file }: Frame) =>
  /^lib\/|node_modules\/(@feathersjs|koa|@koa|helmet|jsonwebtoken)/.test(file)

/** The largest shares. */
export function largest(shares: Map<string, number>, count: number): [string, number][] {
  return [...shares].sort(([, a], [, b]) => b - a).slice(0, count)
}
