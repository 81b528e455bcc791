import { readFileSync } from 'node:fs'

/**
 * The text of a file, or undefined if there is none. Asking first whether it exists would not do: another process may
 * remove it in between.
 *
 * @param {string} file
 * @returns {string | undefined}
 */
export function readText(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}
