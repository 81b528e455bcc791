import cluster, { type Worker } from 'node:cluster'
import type { MetricObjectWithValues, MetricValue, Registry } from 'prom-client'
import type { Application, NextFunction } from '../declarations.js'
import { isStarted } from './messages.js'

type Figures = MetricObjectWithValues<MetricValue<string>>[]

/** To a worker: what have you counted? Its answer. To the primary: what have all counted? Its answer. */
interface Question {
  metrics: 'of one' | 'of all'
  id: number
}
type Answer = Question & ({ figures: Figures } | { text: string } | { failure: string })

const patience = 2000 // ms: a worker that answers later is stuck

const isAbout = (message: unknown): message is Question | Answer =>
  typeof message === 'object' && message !== null && 'metrics' in message
const isAnswer = (message: Question | Answer): message is Answer =>
  'figures' in message || 'text' in message || 'failure' in message

/**
 * In the primary: gathers what the workers have counted. Each keeps its own series, told apart by the label `worker`: a
 * sum would fall when a worker dies, which Prometheus takes for a beginning at 0.
 *
 * @returns What answers with all of it; rejects while a worker does not answer
 */
export function gatherMetrics(): () => Promise<string> {
  // Whoever is not yet serving takes the first message for its start
  const serving = new Set<Worker>()
  const ask = asker()
  const all = async () => {
    const { AggregatorRegistry } = await import('prom-client')
    const answers = await Promise.all([...serving].map((worker) => ask('of one', (say) => worker.send(say))))
    const figures = answers.map((answer) => ('figures' in answer ? answer.figures : []))

    // No two series have the same labels, so nothing is added up, nor left out
    return AggregatorRegistry.aggregate(
      figures.map((list) => list.map((metric) => ({ ...metric, aggregator: 'sum' })))
    ).metrics()
  }

  cluster.on('message', (worker: Worker, message: unknown) => {
    if (isStarted(message) && 'address' in message) {
      serving.add(worker)
    } else if (isAbout(message) && isAnswer(message)) {
      ask.hear(message)
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

/** In a worker: tells the primary what is counted here, and asks it for what all have counted. */
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
      ask.hear(message)
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

/** Asks the process at the other end of a pipe. */
function asker() {
  const open = new Map<number, (answer: Answer) => void>()
  let last = 0

  const ask = (metrics: Question['metrics'], say: (question: Question) => void) =>
    new Promise<Answer>((resolve, reject) => {
      const id = ++last
      const timer = setTimeout(() => {
        open.delete(id)
        reject(new Error('A worker does not answer'))
      }, patience)

      open.set(id, (answer) => {
        clearTimeout(timer)
        open.delete(id)

        if ('failure' in answer) reject(new Error(answer.failure))
        else resolve(answer)
      })
      say({ metrics, id })
    })

  return Object.assign(ask, { hear: (answer: Answer) => open.get(answer.id)?.(answer) })
}
