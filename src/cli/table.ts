import { printable } from './answer.js'

/** Formats rows under a header, in columns as wide as needed. */
export function table(header: string[], rows: string[][]): string {
  const cells = [header, ...rows.map((row) => row.map(printable))]
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))

  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}

/** A time in UTC, to the minute; `-` if there is none. */
export const minute = (time?: Date | number): string =>
  time === undefined ? '-' : new Date(time).toISOString().slice(0, 16).replace('T', ' ')
