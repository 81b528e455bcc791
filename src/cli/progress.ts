const clear = '\r\u001b[K'

/** Says on a terminal what is being done, in one line that is gone afterwards. Programs see nothing of it. */
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
