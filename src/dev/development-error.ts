/** A problem that keeps a development service from starting. The message is one sentence that says what to do. */
export class DevelopmentError extends Error {
  override name = 'DevelopmentError'
}

/** The first line of an error's message, to be quoted in a sentence. */
export function reason(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
}
