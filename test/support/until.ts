import { setTimeout as sleep } from 'node:timers/promises'

/** Polls until something is so. Fails when it is not within `patience` ms. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  patience = 30_000
): Promise<void> {
  const deadline = Date.now() + patience

  while (!(await isSo())) {
    if (Date.now() > deadline) {
      throw new Error(`Not within ${patience / 1000} s: ${what}`)
    }
    await sleep(20)
  }
}
