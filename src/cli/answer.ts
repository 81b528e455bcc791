import type { Command } from 'commander'

/** The output of a command. */
export interface Answer {
  /** For people. */
  text: string
  /** For programs, as JSON. */
  data: unknown
  /** Whether the command failed, for reasons that the output gives. */
  failed?: boolean
}

/** A mistake that the caller can fix. The message is one sentence. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

/** Thrown by a command that has already printed what is wrong. */
export class Failed extends Error {}

/** Sets the action of a command, and prints its answer as text or, with `--json`, as JSON. */
export function answers(command: Command, work: (...args: never[]) => Promise<Answer>): void {
  command.option('--json', 'print JSON, for programs').action(async (...args: unknown[]) => {
    const { text, data, failed } = await work(...(args as never[]))

    console.log(command.opts<{ json?: boolean }>().json ? json(data) : text)

    if (failed) {
      throw new Failed()
    }
  })
}

// Characters that move the cursor, set colours or change the direction of text. JSON escapes those below U+0020 itself
const control = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu
const controlInJson = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Replaces control characters: names come from strangers, and a terminal would obey them. */
export const printable = (text: string): string => text.replace(control, '\ufffd')

const json = (data: unknown): string =>
  JSON.stringify(data, null, 2).replace(
    controlInJson,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  )
