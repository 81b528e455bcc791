/** The most fields and items, at any depth: validating more takes long, and reports each as a mistake. */
export const mostEntries = 1000

/** Whether a value has more fields and items than that, at any depth. */
export function hasTooManyEntries(value: unknown): boolean {
  const found = [value]

  // The loop appends the content of each entry to the list
  for (const entry of found) {
    if (typeof entry === 'object' && entry !== null && !ArrayBuffer.isView(entry)) {
      const inside: unknown[] = Array.isArray(entry) ? entry : Object.values(entry)

      if (found.length + inside.length > mostEntries + 1) {
        return true
      }

      found.push(...inside)
    }
  }

  return false
}
