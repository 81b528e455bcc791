import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { freePort } from '../src/dev/mongod/process.js'
import { leastVersion } from '../src/database/database.js'
import { withApp } from './support/app.js'
import { commandsIn, runShell, snippet } from './support/documents.js'
import { isMoultCall } from './support/moult.js'
import { settingsWith } from './support/settings.js'
import { readYaml } from './support/yaml.js'

const root = resolve(import.meta.dirname, '..')
const read = (file: string) => readFileSync(resolve(root, file), 'utf8')
const { engines, scripts, files } = JSON.parse(read('package.json'))
const { port } = JSON.parse(read('config/default.json'))
const variables = read('config/custom-environment-variables.json')

interface Instruction {
  name: string
  text: string
}

/** The instructions of a Dockerfile, each with what follows its name, in one line. */
const dockerfile: Instruction[] = read('Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => ({ name: line.split(' ')[0]!, text: line.slice(line.indexOf(' ') + 1) }))

const all = (name: string) => dockerfile.filter((one) => one.name === name).map(({ text }) => text)
const last = (name: string) => all(name).at(-1)!

describe('the Dockerfile', () => {
  it('has one version of Node.js, which the package supports', () => {
    const [major, ...others] = new Set(all('FROM').map((text) => /^node:(\d+)-slim/.exec(text)?.[1]))

    assert.deepEqual(others, [])
    assert.ok(Number(major) > Number(/^>=(\d+)/.exec(engines.node)![1]))
  })

  it('copies only files that exist, and nothing that is private to a machine', () => {
    const given = read('.dockerignore').split('\n')

    assert.equal(
      given.find((line) => !line.startsWith('#')),
      '*'
    )

    for (const file of ['package.json', 'package-lock.json', 'tsconfig.json', ...files]) {
      assert.ok(
        given.includes(`!${file}`) ||
          file === 'lib' ||
          file === 'CHANGELOG.md' ||
          !existsSync(resolve(root, file)),
        `${file} is not in .dockerignore`
      )
    }

    assert.ok(existsSync(resolve(root, /node (src\S+)/.exec(all('RUN').join())![1]!)))
  })

  it('starts what npm start does, at its port, and not as root', () => {
    const command = JSON.parse(last('CMD')) as string[]

    assert.ok(scripts.start.includes(command.join(' ')))
    assert.match(last('USER'), /^[1-9]\d*$/)
    assert.equal(last('EXPOSE'), String(port))
    assert.match(last('ENV'), new RegExp(`\\bPORT=${port}\\b`))
  })

  it('sets only settings, and no secret', () => {
    const names = [...last('ENV').matchAll(/(\w+)=/g)].map(([, name]) => name!)

    assert.deepEqual(names, ['NODE_ENV', 'HOSTNAME', 'PORT'])
    assert.deepEqual(all('ARG'), [])

    for (const name of names.slice(1)) {
      assert.match(variables, new RegExp(`"${name}"`))
    }
  })

  it('checks the health of a running service', () =>
    withApp({ settings: { host: '127.0.0.1' } }, async ({ address }) => {
      const [command, ...args] = JSON.parse(last('HEALTHCHECK').split('CMD ')[1]!) as string[]
      const ask = (port: string) =>
        promisify(execFile)(process.execPath, args, { env: { ...process.env, PORT: port } })

      assert.equal(command, 'node')
      await ask(new URL(address).port)
      await assert.rejects(ask(String(await freePort())), { code: 1 })
    }))
})

describe('compose.yaml', () => {
  it('gives the service its own replica set of three nodes', async () => {
    const { services, volumes, networks } = await readYaml(read('compose.yaml'))
    const { moult, 'replica-set': init, ...nodes } = services
    const names = Object.keys(nodes)
    const url = new URL(moult.environment.MONGODB_URL.replace(/,.*?\//, '/'))
    const name = url.searchParams.get('replicaSet')!

    assert.equal(names.length, 3)
    assert.equal(/\/\/(.*?)\//.exec(moult.environment.MONGODB_URL)![1], names.join(','))
    assert.deepEqual(Object.keys(volumes), names)
    assert.deepEqual(networks, { database: { internal: 'true' } })

    for (const node of names) {
      const { image, command, volumes: kept, ports, networks: reached } = nodes[node]

      assert.ok(Number.parseInt(image.split(':')[1]) >= leastVersion)
      assert.deepEqual(command.slice(1, 3), ['--replSet', name])
      assert.deepEqual(kept, [`${node}:/data/db`])
      assert.deepEqual([ports, reached], [undefined, ['database']])
      assert.ok(init.depends_on[node].condition === 'service_healthy')
      assert.ok(init.command[0].includes(`'${node}'`))
    }

    assert.match(init.command[0], new RegExp(`_id: '${name}'`))
    assert.equal(moult.depends_on['replica-set'].condition, 'service_completed_successfully')
  })

  it('takes secrets only from the environment, and publishes the port of the service to this machine', async () => {
    const { moult } = (await readYaml(read('compose.yaml'))).services

    for (const [name, value] of Object.entries(moult.environment)) {
      assert.match(variables, new RegExp(`"${name}"`))
      assert.ok(!name.endsWith('SECRET') || /^\$\{(\w+):\?/.exec(String(value))?.[1] === name)
    }

    assert.deepEqual(moult.ports, [`127.0.0.1:${port}:${last('EXPOSE')}`])
  })
})

describe('docs/docker.md', () => {
  const inMoult = (block: string) =>
    commandsIn(block).flatMap((command) => /\bmoult node lib\/cli\.js (.*)$/.exec(command)?.[1] ?? [])

  it('makes secrets that compose.yaml asks for, good enough for production', async () => {
    const [exported, ...others] = commandsIn(snippet('docs/docker.md', 'docker compose up'))
    const names = [...exported!.matchAll(/(\w+)=/g)].map(([, name]) => name!)
    const secrets = (
      await runShell(`${exported}\nprintf '%s\\n' ${names.map((name) => `"$${name}"`).join(' ')}`)
    )
      .trim()
      .split('\n')
    const { moult } = (await readYaml(read('compose.yaml'))).services

    assert.deepEqual(
      names,
      Object.keys(moult.environment).filter((name) => name.endsWith('SECRET'))
    )
    assert.ok(settingsWith({ secret: secrets[0], 'refresh-token': { secret: secrets[1] } }, true))
    assert.ok(others.every((command) => /^docker compose (up|exec moult node lib\/cli\.js) /.test(command)))
  })

  it('calls the command line as it is, in the image that compose.yaml names, with a volume at its keys', async () => {
    const calls = [
      ...inMoult(snippet('docs/docker.md', 'docker compose up')),
      ...inMoult(snippet('docs/docker.md', 'docker volume create'))
    ]
    const [, volume, folder, file] = /--volume ([\w-]+):(\/\w+) --env KEYS_FILE=(\S+) moult /.exec(
      snippet('docs/docker.md', 'docker volume create')
    )!

    assert.equal(calls.length, 3)

    assert.deepEqual(
      calls.filter((call) => !isMoultCall(call.split(' '))),
      []
    )
    assert.equal((await readYaml(read('compose.yaml'))).services.moult.image, 'moult')
    assert.ok(
      snippet('docs/docker.md', 'docker volume create').startsWith(`docker volume create ${volume}\n`)
    )
    assert.ok(file!.startsWith(`${folder}/`) && all('RUN').some((text) => text.endsWith(` ${folder}`)))
    assert.match(variables, /"KEYS_FILE"/)
  })
})
