import { build } from 'esbuild'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { MongoClient, type Db } from 'mongodb'
import { goodSecrets } from '../../support/service.js'
import { callerOf } from './calls.js'
import { emailOf, type Crowd } from './crowds.js'
import { argon2Hash, bcryptHash } from './passwords.js'

/** The services that are compared. */
export const names = ['node:http', 'Koa', 'Feathers', 'stock', 'Moult'] as const
/** Without `entityCache`: the hooks of the users service run at each call, as in apps that import the package. */
export const withHooks = 'Moult, hooks'
export type Name = (typeof names)[number] | typeof withHooks

export interface Loop {
  p50: number
  p99: number
  max: number
}

export interface Service {
  name: Name
  address: string
  pid: number
  db: Db
  /** From the launch of the process to its sentence that it listens, ms. */
  startedIn: number
  /** Of the process so far, s. */
  cpu(): Promise<number>
  /** Bytes, after a collection of garbage. */
  memory(): Promise<{ rss: number; heap: number }>
  /** Bytes, as it is. */
  rss(): Promise<number>
  /** CPU that the whole of its mongod has taken so far, s. Linux only. */
  mongodCpu(): Promise<number>
  watchLoop(): Promise<void>
  /** The delay of the event loop since `watchLoop`, ms. */
  loopDelay(): Promise<Loop>
  startProfile(): Promise<void>
  stopProfile(): Promise<unknown>
  /** Ends it; its database stays. */
  stop(): Promise<void>
}

const root = resolve(import.meta.dirname, '../../..')
const built = join(root, 'node_modules/.cache/moult-bench') // inside, so that packages are found from there

const programs: Record<Name, { file: string; args: string[]; hash: () => Promise<string> }> = {
  'node:http': { file: join(built, 'bare.mjs'), args: ['http'], hash: argon2Hash },
  Koa: { file: join(built, 'bare.mjs'), args: ['koa'], hash: argon2Hash },
  Feathers: { file: join(built, 'feathers.mjs'), args: [], hash: argon2Hash },
  stock: { file: join(built, 'stock.mjs'), args: [], hash: bcryptHash },
  Moult: { file: join(root, 'lib/index.js'), args: [], hash: argon2Hash },
  [withHooks]: { file: join(root, 'lib/index.js'), args: [], hash: argon2Hash }
}

// On, and out of reach
const never = { limit: 1_000_000_000, per: '1h' }
const settings = {
  rateLimit: {
    signIn: { account: never, address: never },
    signUp: { address: never },
    refresh: { address: never }
  },
  limits: { connections: 100_000, connectionsPerAddress: 100_000 }
}

/** Builds the baselines, and what is loaded into each service: what runs is plain JavaScript, as `npm start` runs it. */
export async function buildPrograms(): Promise<void> {
  const folder = resolve(import.meta.dirname, '..')

  await build({
    entryPoints: {
      bare: join(folder, 'baselines/bare.ts'),
      feathers: join(folder, 'baselines/feathers.ts'),
      stock: join(folder, 'baselines/stock/index.ts'),
      probe: join(folder, 'harness/probe.ts')
    },
    outdir: built,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20'
  })
}

/** Starts a service in a process of its own, as in production, and waits until it listens. */
export async function startService(
  name: Name,
  url: string,
  env: Record<string, string> = {}
): Promise<Service> {
  const { file, args } = programs[name]
  const launched = performance.now()
  const child = spawn(
    process.execPath,
    ['--enable-source-maps', '--import', join(built, 'probe.mjs'), file, ...args],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      env: {
        ...process.env,
        ...goodSecrets,
        NODE_ENV: 'production',
        HOSTNAME: '127.0.0.1',
        PORT: '0',
        MONGODB_URL: url,
        NODE_CONFIG: JSON.stringify({
          ...settings,
          ...(name === withHooks && { authentication: { 'refresh-token': { entityCache: false } } })
        }),
        ...env
      }
    }
  )
  const address = await addressSaid(child.stdout!)
  const startedIn = performance.now() - launched
  const call = callerOf(child)
  const client = new MongoClient(url)

  return {
    name,
    address,
    pid: child.pid!,
    db: client.db(),
    startedIn,
    cpu: () => call('cpu'),
    memory: () => call('memory'),
    rss: () => call('rss'),
    async mongodCpu() {
      const { extra_info: info } = await client.db().admin().serverStatus()

      return (info.user_time_us + info.system_time_us) / 1e6
    },
    watchLoop: () => call('watchLoop'),
    loopDelay: () => call('loopDelay'),
    startProfile: () => call('startProfile'),
    stopProfile: () => call('stopProfile'),
    async stop() {
      const ended = once(child, 'exit')

      await client.close()
      child.kill('SIGTERM')
      await ended
    }
  }
}

/** Where a service says that it listens. Reads on after that, or the process would wait for its log to be read. */
export async function addressSaid(stdout: NodeJS.ReadableStream): Promise<string> {
  let said = ''

  return new Promise((resolve, reject) => {
    stdout.setEncoding('utf8')
    stdout.on('data', (text: string) => {
      said = said.length > 10_000 ? said : said + text
      const [address] = /http:\/\/[\w.:]+\d/.exec(said) ?? []

      if (address) {
        resolve(address)
      }
    })
    stdout.once('end', () => reject(new Error(`The service ended without saying where it listens: ${said}`)))
  })
}

/** Puts users into the database of a service, all with one password. */
export async function seed({ name, db }: Service, crowds: Crowd[], size: number): Promise<void> {
  const password = await programs[name].hash()
  const users = crowds.flatMap((crowd) =>
    Array.from({ length: size }, (_, index) => ({
      email: emailOf(crowd, index),
      name: `Somebody number ${index}`,
      password,
      roles: ['user'],
      disabled: false,
      sessions: [],
      createdAt: new Date()
    }))
  )

  await db.collection('users').insertMany(users)
}

/** Starts services, each on a database of its own that is dropped in the end, and works with them. */
export async function withServices<T>(
  wanted: readonly Name[],
  work: (services: Service[]) => Promise<T>
): Promise<T> {
  const services: Service[] = []

  await buildPrograms()

  try {
    for (const name of wanted) {
      services.push(await startService(name, databaseOf(name)))
    }

    return await work(services)
  } finally {
    for (const service of services) {
      await service.db.dropDatabase()
      await service.stop()
    }
  }
}

/** A new database in the MongoDB that the benchmarks run on. */
export function databaseOf(name: Name, mongodb = process.env.MONGODB_URL!): string {
  const url = new URL(mongodb)

  url.pathname = `/bench-${name.toLowerCase().replace(/\W/g, '')}-${process.pid}-${Date.now()}`
  return url.href
}
