import { Argument, Command } from 'commander'
import { createApp } from './app.js'
import { keysCommand } from './cli/keys.js'
import type { Application } from './declarations.js'
import { runningMongod, startMongod } from './dev/mongod.js'
import { createLogger } from './logger.js'
import { roles, type Role } from './roles.js'
import { loadSettings } from './settings.js'

const program = new Command('moult').description('Looks after a Moult service and its database')

program
  .command('users')
  .description('accounts')
  .command('role')
  .description('gives a user a role, and so the ones below it, in place of the roles so far')
  .argument('<email>')
  .addArgument(new Argument('<role>').choices(roles))
  .action((email: string, role: Role) => withApp((app) => setRole(app, email, role)))

program.addCommand(keysCommand(withApp))

async function setRole(app: Application, email: string, role: Role): Promise<string> {
  const users = app.service('users')
  const [user] = await users.find({ query: { email: email.toLowerCase() }, paginate: false })

  if (!user) {
    throw new Error(`There is no user with the email ${email}: sign up first`)
  }

  await users.patch(user._id, { roles: [role] })
  return `${user.email} has the role ${role} now`
}

/** Runs a command on the service's database: the configured one, or the embedded one, running or not. */
async function withApp(command: (app: Application) => Promise<string>): Promise<void> {
  const settings = await loadSettings()
  const folder = settings.data
  const url = settings.mongodb ?? (await runningMongod(folder))
  const mongod = url ? undefined : await startMongod({ folder, log: (sentence) => console.error(sentence) })
  const app = createApp({ ...settings, mongodb: url ?? mongod!.url }, { logger: createLogger('test') })

  try {
    await app.get('database').prepare()
    console.log(await command(app))
  } finally {
    await app.get('database').close()
    await mongod?.stop()
  }
}

try {
  await program.parseAsync()
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
