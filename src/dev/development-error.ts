/** What keeps a development service from starting. The message is one sentence that says what to do about it. */
export class DevelopmentError extends Error {
  override name = 'DevelopmentError'
}

/** The part of an error that a sentence has room for. */
export function reason(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
}
