import type { Command } from 'commander'

/** What a command answers. */
export interface Answer {
  /** To people. */
  text: string
  /** To programs, as JSON. */
  data: unknown
  /** Whether something is wrong: the answer says what. */
  failed?: boolean
}

/** What the caller can mend. The message is one sentence. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

/** A command that has said itself what is wrong. */
export class Failed extends Error {}

/** Gives a command its work, whose answer is printed as a text for people or, with `--json`, for programs. */
export function answers(command: Command, work: (...args: never[]) => Promise<Answer>): void {
  command.option('--json', 'answers in JSON, for programs').action(async (...args: unknown[]) => {
    const { text, data, failed } = await work(...(args as never[]))

    console.log(command.opts<{ json?: boolean }>().json ? json(data) : text)

    if (failed) {
      throw new Failed()
    }
  })
}

// What moves the cursor, colours, or turns the direction of a text. JSON escapes those below a blank by itself
const control = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu
const controlInJson = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Names come from strangers, and a terminal obeys what stands in them. */
export const printable = (text: string): string => text.replace(control, '\ufffd')

const json = (data: unknown): string =>
  JSON.stringify(data, null, 2).replace(
    controlInJson,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  )
