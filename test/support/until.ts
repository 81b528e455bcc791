import { setTimeout as sleep } from 'node:timers/promises'

/** Polls until something is so. Fails when it is not within `timeout` ms. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  timeout = 30_000
): Promise<void> {
  const deadline = Date.now() + timeout

  while (!(await isSo())) {
    if (Date.now() > deadline) {
      throw new Error(`Not within ${timeout / 1000} s: ${what}`)
    }
    await sleep(20)
  }
}
