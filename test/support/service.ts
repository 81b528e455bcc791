import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { startScript, type TestProcess } from './process.js'
import { restClient, type RestClient } from './rest.js'

export interface TestService extends TestProcess {
  /** As it says itself. */
  address: string
  client: RestClient
}

export type Environment = Record<string, string | undefined>

// As `openssl rand -base64 48` prints them
export const goodSecrets = {
  ACCESS_TOKEN_SECRET: 'q0Uj1GhtqXyYkQHcUl2nS6cRSFdKBwkgqQT7Bz3n6WmO0hX9XJ4r5xk1iTn8vZcL',
  REFRESH_TOKEN_SECRET: 'Zb7eN2uXw4rG9kL1pQ6sD3tF8hJ5mC0vB2yA7xW4nE9qR1zT6oU3iP8aS5dK0jVg'
}

/** A place for services in processes of their own: they share a database and a folder. */
export async function makePlace() {
  const folder = await mkdtemp(join(tmpdir(), 'moult-service-'))
  const url = new URL(process.env.MONGODB_URL!)
  const started: TestProcess[] = []

  url.pathname = `/${folder.split('/').at(-1)}`

  const environment = (env: Environment = {}): Environment => ({
    NODE_ENV: 'development',
    HOSTNAME: '127.0.0.1',
    PORT: '0',
    MONGODB_URL: url.href,
    NODE_CONFIG: JSON.stringify({ data: join(folder, 'data') }),
    ...env
  })

  const killAll = async () => {
    for (const service of started.splice(0)) {
      service.kill('SIGKILL')
      await service.outcome
    }
  }

  return {
    /** The folder of what they keep. */
    data: join(folder, 'data'),
    environment,
    /** Starts a service, and waits until it says that it listens. */
    async start(env?: Environment): Promise<TestService> {
      const service = startScript('index.ts', { env: environment(env), patience: 120_000 })

      started.push(service)

      const [address] = await service.said(/http:\/\/[\w.:]+\d/)

      return { ...service, address, client: restClient(address) }
    },
    /** Ends the services that still run. */
    killAll,
    /** And takes away what they kept. */
    async remove() {
      await killAll()
      const client = new MongoClient(url.href)

      await client.db().dropDatabase()
      await client.close()
      await rm(folder, { recursive: true })
    }
  }
}

export type Place = Awaited<ReturnType<typeof makePlace>>
