import type { ChildProcess } from 'node:child_process'

/** What a process can be asked by the one that started it: each answer knows what its argument is. */
export type Answers = Record<string, (argument: any) => unknown>

interface Question {
  benchCall: number
  name: string
  argument: unknown
}

interface Answer {
  benchAnswer: number
  result?: unknown
  error?: string
}

/** In a process that was started with a channel: answers the one that started it, and ends when that has gone. */
export function answerCalls(answers: Answers): void {
  process.on('message', ({ benchCall, name, argument }: Question) => {
    // A service may have messages of its own
    if (benchCall !== undefined) {
      void answer(answers[name]!, argument).then((outcome) =>
        process.send?.({ benchAnswer: benchCall, ...outcome })
      )
    }
  })
  process.on('disconnect', () => process.exit())
}

async function answer(work: Answers[string], argument: unknown): Promise<Omit<Answer, 'benchAnswer'>> {
  try {
    return { result: await work(argument) }
  } catch (error) {
    return { error: (error as Error).stack ?? String(error) }
  }
}

/** Asks a process that was started with a channel. Fails with what failed there, and when it ends. */
export function callerOf(child: ChildProcess): <T>(name: string, argument?: unknown) => Promise<T> {
  // What is answered has the type that the caller gave
  const waiting = new Map<number, { resolve: (result: any) => void; reject: (error: Error) => void }>()
  let calls = 0

  child.on('message', ({ benchAnswer, result, error }: Answer) => {
    const call = waiting.get(benchAnswer)

    waiting.delete(benchAnswer)
    if (error !== undefined) {
      call?.reject(new Error(error))
    } else {
      call?.resolve(result)
    }
  })
  child.once('exit', (code, signal) => {
    waiting.forEach(({ reject }) => reject(new Error(`A process of the benchmark ended: ${signal ?? code}`)))
    waiting.clear()
  })

  return (name, argument) =>
    new Promise((resolve, reject) => {
      const benchCall = ++calls

      waiting.set(benchCall, { resolve, reject })
      child.send({ benchCall, name, argument } satisfies Question)
    })
}
