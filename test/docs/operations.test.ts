import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { outcomes, type Outcome } from '../../src/services/authentication/attempts.js'
import { assertLike, commandsIn, readPage, root, runShell, snippet } from '../support/documents.js'
import { freePort } from '../support/process.js'
import { restClient } from '../support/rest.js'
import { goodSecrets, makePlace, type Place } from '../support/service.js'
import { startTyped, type TypedService } from '../support/shell.js'
import { poll } from '../support/socket.js'
import { readYaml } from '../support/yaml.js'

describe('docs/operations.md and docs/scaling.md', () => {
  let place: Place
  const started: TypedService[] = []

  before(async () => {
    place = await makePlace()
  })
  after(async () => {
    const codes = await Promise.all(started.map(({ stop }) => stop()))

    await place.remove()
    assert.deepEqual([...new Set(codes)], [0])
  })

  const start = async (command: string, env = {}) => {
    const service = await startTyped(command, place.environment(env))

    started.push(service)
    return service
  }

  describe('a service in production with metrics on a port of their own', () => {
    let service: TypedService
    let figures: string

    before(async () => {
      const port = String(await freePort())
      const command = snippet('docs/operations.md', 'METRICS_PORT').replaceAll('9464', port)

      service = await start(command, {
        ...goodSecrets,
        NODE_ENV: 'production',
        LOG_LEVEL: 'debug',
        SMTP_URL: 'smtp://127.0.0.1:1',
        NODE_CONFIG: JSON.stringify({
          mail: { from: 'hello@example.com' },
          accounts: { url: 'https://app.example.com/' }
        })
      })
      // so that the metrics of sign-ins are not empty
      await restClient(service.address).signIn('nobody@example.com')
      figures = await (await fetch(/# at (\S+)/.exec(command)![1]!)).text()
    })

    it('has all metrics of the table', () => {
      const names = [...readPage('docs/operations.md').matchAll(/`(moult_\w+)`/g)].map(([, name]) => name!)

      assert.ok(names.length > 10)
      assert.deepEqual(
        names.filter((name) => !figures.includes(`# HELP ${name} `)),
        []
      )
    })

    it('has the metrics that the alerts use, with their labels', async () => {
      const { groups } = await readYaml(snippet('docs/operations.md', 'RefreshTokensReused'))
      const figure = /([a-z]+_\w+)(?:\{(\w+)=~?"([\w|]+)"\})?/g // name, label, its values
      const used = groups[0].rules.flatMap(({ expr }: { expr: string }) => [...expr.matchAll(figure)])

      assert.equal(used.length, 5)

      for (const [text, name, label, values] of used) {
        const samples = figures.split('\n').filter((line) => line.startsWith(name))

        assert.ok(
          samples.some((line) => label === undefined || line.includes(`${label}="`)),
          text
        )
        assert.ok(
          label !== 'outcome' || values.split('|').every((value: Outcome) => outcomes.includes(value))
        )
      }
    })

    it('answers the readiness probe within its timeout', async () => {
      const { readinessProbe } = await readYaml(snippet('docs/operations.md', 'readinessProbe'))
      const { path, port } = readinessProbe.httpGet
      const settings = JSON.parse(await readFile(join(root, 'config/default.json'), 'utf8'))

      assert.equal(Number(port), settings.port)
      assert.ok(Number(readinessProbe.timeoutSeconds) > 2, 'a response may take 2 s')
      await poll(async () => (await fetch(service.address + path)).ok, 'a service that is ready')
    })

    it('logs a line for each request', async () => {
      const client = restClient(service.address)
      const { accessToken } = await client.newLogin()

      await client.ask('GET', '/users', { token: accessToken })

      const line = await poll(
        () =>
          service
            .output()
            .split('\n')
            .find((text) => text.includes('"GET /users 200')),
        'the line'
      )
      const shown = JSON.parse(snippet('docs/operations.md', '"requestId"'))
      const { level, method, path, status, ...rest } = JSON.parse(line)

      assertLike({ level, method, path, status, ...rest }, shown)
      assert.deepEqual([level, method, path, status], [shown.level, shown.method, shown.path, shown.status])
      assert.match(rest.msg, new RegExp(`^${shown.msg.replace('2.1', '[\\d.]+')}$`))
    })
  })

  it('starts one process per core, with metrics behind a token', async () => {
    const [withToken] = commandsIn(snippet('docs/operations.md', 'METRICS_TOKEN'))
    // The token is generated as shown; the start command is that of the other block
    const token = (await runShell(withToken!.replace('npm start', 'printenv METRICS_TOKEN'))).trim()
    const { address } = await start(snippet('docs/scaling.md', 'WORKERS=auto'), { METRICS_TOKEN: token })
    const read = (Authorization: string) => fetch(`${address}/metrics`, { headers: { Authorization } })
    const figures = await (await read(`Bearer ${token}`)).text()

    assert.equal(withToken, 'METRICS_TOKEN=$(openssl rand -hex 24) npm start')
    assert.equal((await read('')).status, 401)
    assert.equal(figures.match(/^moult_sockets\{worker="\d+"\} 0$/gm)?.length, availableParallelism())
  })
})
