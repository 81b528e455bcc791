import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parse, type ParserOptions } from '@babel/parser'
import { root } from './documents.js'

/** A syntax node as Babel makes it; which other fields it has depends on its type. */
type Node = Record<string, any> & { type: string }

/** A sentence that the source says to the people who run the service. */
export interface Message {
  /** `src/mongodb.ts:120` */
  place: string
  /** With `…` for what is only known when it is said; undefined where the file doesn't show the text. */
  text: string | undefined
}

const errorClasses = ['ConfigurationError', 'DevelopmentError']
const levels = ['fatal', 'error', 'warn', 'info', 'debug']
const reporters = ['log', 'warn'] // functions that are handed down and end in the log

/** docs/cli.md and docs/client.md describe what these say; their errors of the configuration are everybody's. */
const isDescribedElsewhere = (file: string) => /^src\/(cli\.ts|cli\/|client\/)/.test(file)

/** The messages of src/: of its errors, of its log, and of the scripts that prepare a checkout. */
export function messagesOfSource(): Message[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .map((file) => `src/${file}`)
    .filter((file) => /\.(ts|mjs)$/.test(file))
    .sort()
    .flatMap((file) => messagesIn(readFileSync(join(root, file), 'utf8'), file))
}

/** The messages of one file. */
export function messagesIn(source: string, file: string): Message[] {
  const isScript = file.endsWith('.mjs')
  const plugins: ParserOptions['plugins'] = isScript ? [] : ['typescript']
  const module = new Module(parse(source, { sourceType: 'module', plugins }).program)
  const sentences = module.nodes.flatMap((node) => [
    ...thrown(node, isScript ? ['Error'] : errorClasses),
    ...(isDescribedElsewhere(file) || module.defines(node.callee) ? [] : reported(node, isScript))
  ])

  return sentences.flatMap((sentence) => {
    const place = `${file}:${sentence.loc.start.line}`
    const texts = module.textsOf(sentence) ?? (module.passesOn(sentence) ? [] : [undefined])

    return texts.map((text) => ({ place, text: text?.replaceAll(/…(\.?…)+/g, '…').trim() }))
  })
}

/** The sentence of an error that is made. */
const thrown = (node: Node, classes: string[]): Node[] =>
  node.type === 'NewExpression' && classes.includes(node.callee.name) ? [node.arguments[0]] : []

/** The sentence that goes to the log, or to the terminal before there is a log. */
function reported(node: Node, isScript: boolean): Node[] {
  if (node.type === 'ObjectProperty' && nameOf(node.key) === 'sentence') {
    return [node.value]
  }

  return isCall(node) && isReport(node.callee, isScript) ? [node.arguments.at(-1)] : []
}

function isReport(callee: Node, isScript: boolean): boolean {
  const name = nameOf(callee) ?? ''
  const { object } = callee
  const receiver = object && (isCall(object) ? object.arguments[0]?.value : nameOf(object)) // get('logger')

  if (receiver === 'console') {
    return isScript
  }

  return (
    reporters.includes(name.replace('#', '')) ||
    (levels.includes(name) && ['logger', 'log', '#log'].includes(receiver))
  )
}

const isCall = ({ type }: Node) => /^(Optional)?CallExpression$/.test(type)
const isMember = ({ type }: Node) => /^(Optional)?MemberExpression$/.test(type)
const isFunction = ({ params }: Node) => Array.isArray(params)

/** `warn` of `warn` and `options.warn`, `#warn` of `this.#warn`. */
function nameOf(node: Node): string | undefined {
  if (isMember(node)) {
    return node.computed ? undefined : nameOf(node.property)
  }

  return node.type === 'PrivateName' ? `#${node.id.name}` : node.name
}

/** Whether a parameter declares a name: `name`, `name = 1`, `{ name }`, `{ other: name }` */
function declares(parameter: Node, name: string): boolean {
  const inner = [parameter.left, parameter.value, ...(parameter.properties ?? [])].filter(Boolean)

  return parameter.name === name || inner.some((part) => declares(part, name))
}

/** One file, which knows the texts of its expressions as far as it shows them. */
class Module {
  readonly nodes: Node[] = []
  readonly #parents = new Map<Node, Node>()
  readonly #beingRead = new Set<Node>()

  constructor(program: Node) {
    this.#add(program)
  }

  #add(node: Node): void {
    this.nodes.push(node)

    for (const child of Object.values(node).flat()) {
      if (typeof child?.type === 'string' && child.loc) {
        this.#parents.set(child, node)
        this.#add(child)
      }
    }
  }

  /** Whether an expression is a sentence that was composed elsewhere: a parameter, or what an error says. */
  passesOn(node: Node): boolean {
    if (isCall(node)) {
      return nameOf(node.callee) === 'reason'
    }

    return isMember(node)
      ? ['message', 'sentence'].includes(nameOf(node)!)
      : node.type === 'Identifier' && this.#functionWith(node) !== undefined
  }

  /** The texts that an expression can have; undefined where the file doesn't show them. */
  textsOf(node: Node, isPart = false): string[] | undefined {
    switch (node.type) {
      case 'StringLiteral':
      case 'NumericLiteral':
        return [String(node.value)]
      case 'TemplateElement':
        return [node.value.cooked]
      case 'TemplateLiteral':
        return this.#joined(
          node.quasis.flatMap((quasi: Node, index: number) => [quasi, node.expressions[index]]).slice(0, -1)
        )
      case 'BinaryExpression':
        return node.operator === '+' ? this.#joined([node.left, node.right]) : undefined
      case 'ConditionalExpression':
        return this.#all([node.consequent, node.alternate], isPart)
      case 'ObjectExpression':
        return this.#all(
          node.properties.map(({ value }: Node) => value),
          isPart
        )
      case 'ArrowFunctionExpression':
        return this.textsOf(node.body, isPart)
      case 'Identifier':
        return this.#textsOfName(node, isPart)
      default:
        // A table of sentences, or a function that composes one. Within a sentence, neither is looked into
        return isPart || !(node.callee ?? node.object) ? undefined : this.textsOf(node.callee ?? node.object)
    }
  }

  /** All combinations of the texts of some parts, with `…` for a part that is not known. */
  #joined(parts: Node[]): string[] {
    return parts
      .map((part) => this.textsOf(part, true) ?? ['…'])
      .reduce((starts, ends) => starts.flatMap((start) => ends.map((end) => start + end)), [''])
  }

  #all(nodes: Node[], isPart: boolean): string[] | undefined {
    const texts = nodes.map((node) => this.textsOf(node, isPart))

    return texts.every((some) => some !== undefined) ? texts.flat() : undefined
  }

  /** What a constant holds, or what the calls in this file give for a parameter. */
  #textsOfName(identifier: Node, isPart: boolean): string[] | undefined {
    const owner = this.#functionWith(identifier)

    if (this.#beingRead.has(identifier)) {
      return undefined // it is made of itself
    }

    this.#beingRead.add(identifier)

    try {
      return owner ? this.#argumentsFor(identifier, owner, isPart) : this.#valueOf(identifier, isPart)
    } finally {
      this.#beingRead.delete(identifier)
    }
  }

  #valueOf({ name }: Node, isPart: boolean): string[] | undefined {
    const [declaration, ...others] = this.nodes.filter(
      ({ type, id }) => type === 'VariableDeclarator' && declares(id, name)
    )
    const isConstant = declaration && this.#parents.get(declaration)!.kind === 'const'

    return isConstant && declaration.id.name === name && declaration.init && others.length === 0
      ? this.textsOf(declaration.init, isPart)
      : undefined
  }

  /** What the calls in this file give for the only parameter of a function. */
  #argumentsFor({ name }: Node, owner: Node, isPart: boolean): string[] | undefined {
    const called = this.#nameOfFunction(owner)
    const given = this.nodes
      .filter((node) => called !== undefined && isCall(node) && nameOf(node.callee) === called)
      .map((call) => call.arguments[0])
    const isRead = owner.params.length === 1 && owner.params[0].name === name && given.length > 0

    return isRead ? this.#all(given, isPart) : undefined
  }

  #nameOfFunction(owner: Node): string | undefined {
    const name = owner.id ?? owner.key ?? this.#parents.get(owner)!.id

    return name && nameOf(name)
  }

  /** Whether a call is one of a function in this file, whose own sentences are read. */
  defines(callee: Node | undefined): boolean {
    const name = callee && nameOf(callee)

    return (
      name !== undefined && this.nodes.some((node) => isFunction(node) && this.#nameOfFunction(node) === name)
    )
  }

  /** The function that has this name for a parameter. */
  #functionWith(node: Node): Node | undefined {
    let outer = this.#parents.get(node)

    while (outer && !(isFunction(outer) && outer.params.some((one: Node) => declares(one, node.name)))) {
      outer = this.#parents.get(outer)
    }

    return outer
  }
}
