/** The value below which a share of sorted values lies. */
export function at(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export function median(values: number[]): number {
  return at(
    values.toSorted((a, b) => a - b),
    0.5
  )
}

/** With three digits that count, and thousands whole. */
export function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

type Row = Record<string, string | number>

/** A table in Markdown, its columns aligned for the terminal too; numbers to the right. */
export function table(rows: Row[]): string {
  const names = Object.keys(rows[0]!)
  const cells = rows.map((row) => names.map((name) => text(row[name]!)))
  const widths = names.map((name, column) =>
    Math.max(name.length, ...cells.map((row) => row[column]!.length))
  )
  const isNumber = (name: string) => typeof rows[0]![name] === 'number'
  const line = (row: string[]) =>
    `| ${row.map((cell, column) => (isNumber(names[column]!) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))).join(' | ')} |`
  const rule = names.map((name, column) =>
    isNumber(name) ? `${'-'.repeat(widths[column]! - 1)}:` : '-'.repeat(widths[column]!)
  )

  return [line(names), line(rule), ...cells.map(line)].join('\n')
}

const text = (cell: string | number): string => (typeof cell === 'number' ? short(cell) : cell)

/** A goal and what came of it. It is never a failure: the machine may be busy. */
export function goal(what: string, bound: string, has: number, unit = ''): string {
  return `${what}: goal ${bound}${unit}, has ${short(has)}${unit}`
}
