const clear = '\r\u001b[K'

/** Shows progress on a terminal, in a line that disappears afterwards. Prints nothing for programs. */
export async function during<T>(what: string, work: () => Promise<T>): Promise<T> {
  const { stderr } = process

  if (!stderr.isTTY) {
    return work()
  }

  stderr.write(`${clear}${what} …`)

  try {
    return await work()
  } finally {
    stderr.write(clear)
  }
}
