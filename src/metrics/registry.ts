import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import { onAttempt, outcomes, signInStrategies } from '../services/authentication/attempts.js'
import type { MailOutcome, Outbox } from '../accounts/internal.js'
import type { Application } from '../declarations.js'
import type { EndReason, UserChange } from '../refresh-token/index.js'

const signInOutcomes = [
  'ok',
  'refused',
  'disabled',
  'unverified',
  'factor',
  'invalid',
  'expired',
  'limited',
  'malformed',
  'forbidden',
  'unavailable',
  'failed'
]
const endReasons = {
  logout: 0,
  revoked: 0,
  admin: 0,
  password: 0,
  factor: 0,
  disabled: 0,
  deleted: 0,
  reused: 0,
  replaced: 0,
  evicted: 0,
  expired: 0
} satisfies Record<EndReason, 0>

const mailOutcomes: MailOutcome[] = ['sent', 'dropped', 'failed', 'given up']

/**
 * The metrics of this process, with those of Node.js that prom-client collects. Labels have few values, and clients
 * can't add any.
 */
export function makeRegistry(app: Application): Registry {
  const registry = new Registry()

  collectDefaultMetrics({ register: registry })
  countLogins(app, registry)
  countStepUps(app, registry)
  countRefreshes(app, registry)
  countSessions(app, registry)
  watchCache(app, registry)
  watchStream(app, registry)
  watchHasher(app, registry)
  watchSockets(app, registry)
  watchTrail(app, registry)
  watchMail(app, registry)

  return registry
}

function countLogins(app: Application, registry: Registry): void {
  const logins = new Counter({
    name: 'moult_logins_total',
    help: 'Sign-ins by strategy and outcome',
    labelNames: ['strategy', 'outcome'],
    registers: [registry]
  })

  // Initialized to 0, so that the first one of its kind shows as an increase
  for (const strategy of signInStrategies(app.service('authentication'))) {
    signInOutcomes.forEach((outcome) => logins.inc({ strategy, outcome }, 0))
  }

  onAttempt(app, ({ kind, strategy, outcome }) => {
    if (kind === 'sign-in') {
      logins.inc({ strategy, outcome })
    }
  })
}

function countStepUps(app: Application, registry: Registry): void {
  const stepUps = new Counter({
    name: 'moult_step_ups_total',
    help: 'Step-ups by strategy and outcome',
    labelNames: ['strategy', 'outcome'],
    registers: [registry]
  })

  onAttempt(app, ({ kind, strategy, outcome }) => {
    if (kind === 'step-up') {
      stepUps.inc({ strategy, outcome })
    }
  })
}

function countRefreshes(app: Application, registry: Registry): void {
  const refreshes = new Counter({
    name: 'moult_refreshes_total',
    help: 'Refreshes by outcome; repeated: a used token was granted another successor',
    labelNames: ['outcome'],
    registers: [registry]
  })

  // Initialized to 0, so that the first one of its kind shows as an increase
  outcomes.forEach((outcome) => refreshes.inc({ outcome }, 0))
  refreshes.inc({ outcome: 'repeated' }, 0)

  app.service('authentication').sessions.on('refreshed', ({ repeated }) => {
    refreshes.inc({ outcome: repeated ? 'repeated' : 'ok' })
  })
  onAttempt(app, ({ kind, outcome }) => {
    if (kind === 'refresh' && outcome !== 'ok') {
      refreshes.inc({ outcome })
    }
  })
}

function countSessions(app: Application, registry: Registry): void {
  const { sessions } = app.service('authentication')
  const opened = new Counter({
    name: 'moult_sessions_opened_total',
    help: 'Sessions opened by this process, by strategy',
    labelNames: ['strategy'],
    registers: [registry]
  })
  const ended = new Counter({
    name: 'moult_sessions_ended_total',
    help: 'Sessions ended by this process, by reason',
    labelNames: ['reason'],
    registers: [registry]
  })

  Object.keys(endReasons).forEach((reason) => ended.inc({ reason }, 0))
  sessions.on('opened', ({ session }) => opened.inc({ strategy: session.strategy }))
  sessions.on('ended', ({ reason }) => ended.inc({ reason }))
}

function watchCache(app: Application, registry: Registry): void {
  const { cache } = app.service('authentication').live

  registry.registerMetric(
    new Counter({
      name: 'moult_cache_lookups_total',
      help: 'Sessions looked for in memory; those that are not found there are read from the database',
      labelNames: ['result'],
      registers: [],
      collect() {
        this.reset()
        this.inc({ result: 'hit' }, cache.hits)
        this.inc({ result: 'miss' }, cache.misses)
      }
    })
  )
  gauge('moult_cache_users', 'Users in memory', registry, () => cache.size.users)
  gauge('moult_cache_bytes', 'What they take, about', registry, () => cache.size.bytes)
}

function watchStream(app: Application, registry: Registry): void {
  const { changes } = app.service('authentication').live
  const lag = new Histogram({
    name: 'moult_change_stream_lag_seconds',
    help: 'From a change in the database to hearing of it, by the clocks of both',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry]
  })

  changes.on('changed', ({ at }: UserChange) => {
    if (at) {
      lag.observe(Math.max(0, (Date.now() - at.getTime()) / 1000))
    }
  })
  gauge('moult_change_stream_fresh', '1 while what is in memory is believed', registry, () =>
    Number(changes.isFresh)
  )
  gauge('moult_change_stream_silence_seconds', 'Since the change stream was last heard', registry, () =>
    Math.min(changes.silence / 1000, process.uptime())
  )
}

function watchHasher(app: Application, registry: Registry): void {
  const hasher = app.get('hasher')

  registry.registerMetric(
    new Gauge({
      name: 'moult_password_hashes',
      help: 'Passwords that are being hashed, and requests that wait for that',
      labelNames: ['state'],
      registers: [],
      collect() {
        this.set({ state: 'active' }, hasher.active)
        this.set({ state: 'waiting' }, hasher.waiting + app.get('turns').waiting)
      }
    })
  )
}

function watchSockets(app: Application, registry: Registry): void {
  gauge('moult_sockets', 'Connected sockets', registry, () => app.io.engine.clientsCount)
}

function watchTrail(app: Application, registry: Registry): void {
  if (!app.get('events')) {
    return
  }

  const queue = app.get('eventQueue')

  gauge('moult_events_waiting', 'Events to be noted in the audit trail', registry, () => queue.length)
  registry.registerMetric(
    new Counter({
      name: 'moult_events_dropped_total',
      help: 'Events that could not be noted',
      registers: [],
      collect() {
        this.reset()
        this.inc(queue.dropped)
      }
    })
  )
}

function watchMail(app: Application, registry: Registry): void {
  const outbox = app.get('accountsByMail')?.outbox

  if (!outbox) {
    return
  }

  const mails = new Counter({
    name: 'moult_mails_total',
    help: 'Attempts of this process to send a mail, by outcome; dropped: nobody was to get it',
    labelNames: ['outcome'],
    registers: [registry]
  })

  mailOutcomes.forEach((outcome) => mails.inc({ outcome }, 0))
  outbox.on('attempted', ({ outcome }) => mails.inc({ outcome }))

  registry.registerMetric(
    new Gauge({
      name: 'moult_mails_waiting',
      help: 'Mails to be sent, by all instances',
      registers: [],
      async collect() {
        this.set((await outboxState(outbox)).waiting)
      }
    })
  )
  registry.registerMetric(
    new Gauge({
      name: 'moult_mails_oldest_seconds',
      help: 'How long the oldest of them has been waiting',
      registers: [],
      async collect() {
        this.set((await outboxState(outbox)).oldest / 1000)
      }
    })
  )
}

/** NaN while the database can't be reached: all other metrics are needed then. */
const outboxState = (outbox: Outbox) => outbox.state().catch(() => ({ waiting: NaN, oldest: NaN }))

/** A gauge whose value is read when the metrics are. */
function gauge(name: string, help: string, registry: Registry, value: () => number): void {
  registry.registerMetric(
    new Gauge({
      name,
      help,
      registers: [],
      collect() {
        this.set(value())
      }
    })
  )
}
