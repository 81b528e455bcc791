import { normalizePassword } from './normalize.js'

const leastLength = 8 // characters: shorter passwords are refused anyway

let list: Promise<ReadonlySet<string>> | undefined

/** Whether a password is one of the most common ones, in any case. Loads the list at its first call. */
export async function isCommonPassword(password: string): Promise<boolean> {
  list ??= load()

  return (await list).has(comparable(password))
}

/** The form in which passwords are compared with guesses, which ignores case and composition. */
export const comparable = (text: string): string => normalizePassword(text).toLowerCase()

/** Loads the 18 000 most common passwords of leaks, which takes 50 ms and 3 MB. */
async function load(): Promise<ReadonlySet<string>> {
  const { dictionary } = await import('@zxcvbn-ts/language-common')
  const common = dictionary['passwords-common'].filter(({ length }) => length >= leastLength)

  return new Set(common.map(comparable))
}
