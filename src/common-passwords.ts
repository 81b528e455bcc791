import { normalizePassword } from './validators.js'

const leastLength = 8 // characters: shorter ones nobody can choose

let list: Promise<ReadonlySet<string>> | undefined

/** Whether a password is one of the most common, whatever its case. The list is loaded when it is first asked. */
export async function isCommonPassword(password: string): Promise<boolean> {
  list ??= load()

  return (await list).has(comparable(password))
}

/** Two passwords that differ in case or composition alone are the same to someone who guesses. */
export const comparable = (text: string): string => normalizePassword(text).toLowerCase()

/** 18 000 passwords that leaks showed most often: 50 ms and 3 MB, once. */
async function load(): Promise<ReadonlySet<string>> {
  const { dictionary } = await import('@zxcvbn-ts/language-common')
  const common = dictionary['passwords-common'].filter(({ length }) => length >= leastLength)

  return new Set(common.map(comparable))
}
