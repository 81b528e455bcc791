import { join } from 'node:path'
import { root } from './documents.js'

const built = process.env.MOULT_TEST_BUILD // where the test command has compiled the sources to

/**
 * The arguments with which Node.js runs a program of this project. The test command has compiled it, so that it starts in
 * about half the time; a test that runs by itself takes the source.
 *
 * @param path from the root, such as `src/cli.ts`
 */
export const programArgs = (path: string): string[] =>
  built
    ? [join(built, path.replace(/\.ts$/, '.js'))]
    : ['--import', import.meta.resolve('tsx'), join(root, path)]
