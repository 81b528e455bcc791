import { Argument, InvalidArgumentError, Option, type Command } from 'commander'
import type { Application } from '../declarations.js'
import { roles, type Role } from '../roles.js'
import type { User, UserPatch, UserQuery } from '../services/users/users.schema.js'
import { answers, type Answer } from './answer.js'
import { findUser } from './find-user.js'
import { readPassword } from './password-prompt.js'
import { minute, table } from './table.js'
import { withApp } from './with-app.js'

/** `moult users`: accounts. All is done by the service `users`, so that its rules hold. */
export function usersCommands(program: Command): void {
  const users = program.command('users').description('accounts')

  answers(
    users
      .command('add')
      .description('makes an account; its password is asked for, or is the one line of standard input')
      .argument('<email>')
      .option('--name <name>')
      .addOption(new Option('--role <role>', 'in place of user').choices(roles)),
    add
  )
  answers(
    users
      .command('list')
      .description('lists accounts by their email')
      .addOption(new Option('--role <role>', 'those that have it, not a higher one').choices(roles))
      .option('--disabled', 'those that are disabled')
      .addOption(new Option('--limit <count>', 'how many at most').default(100).argParser(wholeNumber))
      .addOption(
        new Option('--skip <count>', 'how many to leave out first').default(0).argParser(wholeNumber)
      ),
    list
  )
  answers(
    users
      .command('disable')
      .description('lets nobody sign in, and ends the sessions, at once')
      .argument('<email>'),
    (email: string) => change(email, { disabled: true }, 'is disabled, and all its sessions have ended')
  )
  answers(
    users.command('enable').description('lets the user sign in again').argument('<email>'),
    (email: string) => change(email, { disabled: false }, 'may sign in')
  )
  answers(
    users
      .command('role')
      .description('gives a user a role, and so the ones below it, in place of the roles so far')
      .argument('<email>')
      .addArgument(new Argument('<role>').choices(roles)),
    (email: string, role: Role) => change(email, { roles: [role] }, `has the role ${role} now`)
  )
  answers(
    users
      .command('password')
      .description(
        'sets a password, which is asked for, or is the one line of standard input, and ends the sessions'
      )
      .argument('<email>'),
    setPassword
  )
}

async function add(email: string, { name, role }: { name?: string; role?: Role }): Promise<Answer> {
  const password = await readPassword()

  return withApp(async (app) => {
    const users = app.service('users')
    const user = await users.create({ email, password, ...(name !== undefined && { name }) })
    const given = role ? await users.patch(user._id, { roles: [role] }) : user

    return { text: `${given.email} may sign in`, data: given }
  })
}

interface ListOptions {
  role?: Role
  disabled?: boolean
  limit: number
  skip: number
}

async function list({ role, disabled, limit, skip }: ListOptions): Promise<Answer> {
  return withApp(async (app) => {
    const query: UserQuery = {
      ...(role && { roles: role }),
      ...(disabled && { disabled }),
      $sort: { email: 1 },
      $limit: limit,
      $skip: skip
    }
    const { total, data } = await app
      .service('users')
      .find({ query, paginate: { default: limit, max: limit } })

    return { text: usersTable(data, total), data: { total, limit, skip, data } }
  })
}

function usersTable(users: User[], total: number): string {
  const rows = users.map(({ _id, email, name, roles, disabled, createdAt }) => [
    email,
    name ?? '-',
    roles.join(', '),
    disabled ? 'disabled' : 'enabled',
    minute(createdAt),
    String(_id)
  ])
  const rest = users.length < total ? ': --limit and --skip show others' : ''

  return [
    table(['email', 'name', 'roles', 'account', 'since (UTC)', 'id'], rows),
    '',
    `${users.length} of ${total} users${rest}`
  ].join('\n')
}

/** Changes the user as an admin may. */
function change(email: string, data: UserPatch, done: string): Promise<Answer> {
  return withApp(async (app) => changed(app, await findUser(app, email), data, done))
}

async function setPassword(email: string): Promise<Answer> {
  return withApp(async (app) => {
    const user = await findUser(app, email)

    return changed(
      app,
      user,
      { password: await readPassword() },
      'has a new password, and all its sessions have ended'
    )
  })
}

async function changed(app: Application, { _id }: User, data: UserPatch, done: string): Promise<Answer> {
  const user = await app.service('users').patch(_id, data)

  return { text: `${user.email} ${done}`, data: user }
}

function wholeNumber(text: string): number {
  const number = Number(text)

  if (!/^\d+$/.test(text) || number > 2 ** 31 - 1) {
    throw new InvalidArgumentError('Write a whole number.')
  }

  return number
}
