/** Plays a race several times: a single round may be won by luck. */
export async function rounds(play: (round: number) => Promise<void>, times = 5): Promise<void> {
  for (let round = 1; round <= times; round++) {
    await play(round)
  }
}
