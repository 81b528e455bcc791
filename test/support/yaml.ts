import { parsers } from 'prettier/plugins/yaml'

interface Node {
  type: string
  value?: string
  anchor?: { value: string } | null
  children?: (Node | null)[]
}

/** What a YAML file says: mappings, sequences and strings (numbers too). Read with Prettier's parser. */
// eslint-disable-next-line typescript/no-explicit-any -- a test reads what it expects
export async function readYaml(text: string): Promise<any> {
  const root = (await parsers.yaml.parse(text, {} as never)) as Node

  return valueOf(childOf(childOf(root, 'document'), 'documentBody').children![0]!, new Map())
}

type Anchors = Map<string, unknown>

function valueOf(node: Node, anchors: Anchors): unknown {
  const value = contentOf(node, anchors)

  if (node.anchor) {
    anchors.set(node.anchor.value, value)
  }

  return value
}

function contentOf({ type, value, children = [] }: Node, anchors: Anchors): unknown {
  const inside = children.filter((child) => child !== null)

  switch (type) {
    case 'mapping':
    case 'flowMapping':
      return mappingOf(inside, anchors)
    case 'sequence':
    case 'flowSequence':
      return inside.map((item) => contentOf(item, anchors))
    case 'sequenceItem':
    case 'flowSequenceItem':
    case 'mappingKey':
    case 'mappingValue':
      return inside[0] && valueOf(inside[0], anchors)
    case 'plain':
    case 'quoteSingle':
    case 'quoteDouble':
    case 'blockLiteral':
      return value
    case 'alias':
      return anchors.get(value!)
    case 'null':
      return null
    default:
      throw new Error(`There is a ${type} in the YAML, which nobody reads here yet`)
  }
}

function mappingOf(items: Node[], anchors: Anchors): Record<string, unknown> {
  const entries = items.map(({ children }) => children!.map((child) => child && contentOf(child, anchors)))
  const merged = entries.filter(([key]) => key === '<<').map(([, value]) => value)
  const own = entries.filter(([key]) => key !== '<<')

  return Object.assign({}, ...merged, Object.fromEntries(own))
}

const childOf = ({ children }: Node, type: string): Node => children!.find((child) => child?.type === type)!
