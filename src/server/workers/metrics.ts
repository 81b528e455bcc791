import cluster, { type Worker } from 'node:cluster'
import type { MetricObjectWithValues, MetricValue, Registry } from 'prom-client'
import type { Application, NextFunction } from '../../declarations.js'
import { isStarted } from './messages.js'

type Figures = MetricObjectWithValues<MetricValue<string>>[]

/** Sent to a worker, asks for its metrics. Sent to the primary, asks for those of all workers. */
interface Question {
  metrics: 'of one' | 'of all'
  id: number
}
type Answer = Question & ({ figures: Figures } | { text: string } | { failure: string })

const answerTimeout = 2000 // ms: a worker that takes longer is stuck

const isAbout = (message: unknown): message is Question | Answer =>
  typeof message === 'object' && message !== null && 'metrics' in message
const isAnswer = (message: Question | Answer): message is Answer =>
  'figures' in message || 'text' in message || 'failure' in message

/**
 * In the primary: gathers the metrics of the workers. Each has series of its own, with the label `worker`: a sum would
 * fall when a worker dies, which Prometheus would take for a counter reset.
 *
 * @returns A function that returns the metrics of all; it rejects while a worker doesn't answer
 */
export function gatherMetrics(): () => Promise<string> {
  // A worker that isn't serving yet would take the question for the message that starts it
  const serving = new Set<Worker>()
  const ask = asker()
  const all = async () => {
    const { AggregatorRegistry } = await import('prom-client')
    const answers = await Promise.all([...serving].map((worker) => ask('of one', (say) => worker.send(say))))
    const figures = answers.map((answer) => ('figures' in answer ? answer.figures : []))

    // No two series have the same labels, so nothing is summed or dropped
    return AggregatorRegistry.aggregate(
      figures.map((list) => list.map((metric) => ({ ...metric, aggregator: 'sum' })))
    ).metrics()
  }

  cluster.on('message', (worker: Worker, message: unknown) => {
    if (isStarted(message) && 'address' in message) {
      serving.add(worker)
    } else if (isAbout(message) && isAnswer(message)) {
      ask.answered(message)
    } else if (isAbout(message)) {
      void answer(
        message,
        all().then((text) => ({ text })),
        (said) => worker.isConnected() && worker.send(said)
      )
    }
  })
  cluster.on('exit', (worker: Worker) => serving.delete(worker))

  return all
}

/** In a worker: answers the primary with the metrics of this process, and asks it for those of all. */
export const shareMetrics = (slot: number) => (app: Application) => {
  if (!app.get('metrics')) {
    return
  }

  app.hooks({
    setup: [
      async (_context: unknown, next: NextFunction) => {
        await next()
        share(app, app.get('metricsRegistry'), slot)
      }
    ]
  })
}

function share(app: Application, registry: Registry, slot: number): void {
  const ask = asker()
  const say = (message: Question | Answer) => process.send!(message)

  registry.setDefaultLabels({ worker: String(slot) })
  process.on('message', (message: unknown) => {
    if (isAbout(message) && isAnswer(message)) {
      ask.answered(message)
    } else if (isAbout(message)) {
      void answer(
        message,
        registry.getMetricsAsJSON().then((figures) => ({ figures })),
        say
      )
    }
  })
  app.set('scrape', async () => {
    const said = await ask('of all', say)

    return 'text' in said ? said.text : ''
  })
}

async function answer(
  question: Question,
  found: Promise<{ figures: Figures } | { text: string }>,
  say: (answer: Answer) => void
): Promise<void> {
  say(
    await found.then(
      (content) => ({ ...question, ...content }),
      (error: Error) => ({ ...question, failure: error.message })
    )
  )
}

/** Sends questions to another process, and matches the answers by their id. */
function asker() {
  const open = new Map<number, (answer: Answer) => void>()
  let last = 0

  const ask = (metrics: Question['metrics'], say: (question: Question) => void) =>
    new Promise<Answer>((resolve, reject) => {
      const id = ++last
      const timer = setTimeout(() => {
        open.delete(id)
        reject(new Error('A worker does not answer'))
      }, answerTimeout)

      open.set(id, (answer) => {
        clearTimeout(timer)
        open.delete(id)

        if ('failure' in answer) reject(new Error(answer.failure))
        else resolve(answer)
      })
      say({ metrics, id })
    })

  return Object.assign(ask, { answered: (answer: Answer) => open.get(answer.id)?.(answer) })
}
