const longest = 100 // characters
const ellipsis = '…'

// Line breaks, other control characters, and those that hide or reverse text
const unseen = /[\p{C}\p{Z}\s]+/gu
// What mail clients make links of: a dot, unless it stands in a number, and what parts an address (UTS 46 knows four dots)
const linking = /(?<!\d)[.。．｡]|[.。．｡](?!\d)|[:@]/gu

/**
 * Text that somebody else may have chosen, as one short line without a link: otherwise a stranger could write to anybody
 * in our name.
 */
export function plain(text: string): string {
  const line = text.normalize('NFKC').replaceAll(linking, ' ').replaceAll(unseen, ' ').trim()
  const characters = Array.from(line)

  return characters.length > longest ? `${characters.slice(0, longest - 1).join('')}${ellipsis}` : line
}

/** The same of all texts in a value. */
export function plainIn(value: unknown): unknown {
  if (typeof value === 'string') {
    return plain(value)
  }
  if (Array.isArray(value)) {
    return value.map(plainIn)
  }

  return isPlainObject(value)
    ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plainIn(inner)]))
    : value
}

const isPlainObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
