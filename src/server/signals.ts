const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** Stops at the first signal, once, and then ends the process. */
export function stopOnSignals(stop: () => Promise<void>): void {
  let stopping: Promise<never> | undefined

  const stopAndExit = async () => {
    await stop()
    process.exit()
  }

  for (const signal of signals) {
    // Ctrl-C arrives twice: from the terminal and from npm
    process.on(signal, () => void (stopping ??= stopAndExit()))
  }
}
