import { Argument, Option, type Command } from 'commander'
import type { Application } from '../declarations.js'
import type { Factor } from '../factors/index.js'
import { roles, type Role } from '../services/users/roles.js'
import type { User, UserPatch, UserQuery } from '../services/users/users.schema.js'
import { CommandError, answers, type Answer } from './answer.js'
import { findUser } from './find-user.js'
import { readPassword } from './password-prompt.js'
import { minute, table } from './table.js'
import { wholeNumber } from './whole-number.js'
import { withApp } from './with-app.js'

/** `moult users`: manages accounts, through the service `users`, so that its rules apply. */
export function usersCommands(program: Command): void {
  const users = program.command('users').description('accounts')

  answers(
    users
      .command('add')
      .description('create an account; the password is prompted for, or is the only line of standard input')
      .argument('<email>')
      .option('--name <name>')
      .addOption(new Option('--role <role>', 'instead of user').choices(roles)),
    add
  )
  answers(
    users
      .command('list')
      .description('list accounts, sorted by email')
      .addOption(new Option('--role <role>', 'only accounts with exactly this role').choices(roles))
      .option('--disabled', 'only disabled accounts')
      .addOption(new Option('--limit <count>', 'how many at most').default(100).argParser(wholeNumber))
      .addOption(new Option('--skip <count>', 'how many to skip').default(0).argParser(wholeNumber)),
    list
  )
  answers(
    users.command('disable').description('prevent sign-ins, and end all sessions').argument('<email>'),
    (email: string) => change(email, { disabled: true }, 'is disabled, and all its sessions have ended')
  )
  answers(
    users.command('enable').description('allow the user to sign in again').argument('<email>'),
    (email: string) => change(email, { disabled: false }, 'may sign in')
  )
  answers(
    users
      .command('role')
      .description('set the role of a user, which includes the lower ones')
      .argument('<email>')
      .addArgument(new Argument('<role>').choices(roles)),
    (email: string, role: Role) => change(email, { roles: [role] }, `has the role ${role} now`)
  )
  answers(
    users
      .command('password')
      .description(
        'set a password, which is prompted for or is the only line of standard input, and end all sessions'
      )
      .argument('<email>'),
    setPassword
  )
  answers(
    users
      .command('factors')
      .description('list the second factors of a user, or remove them and end all sessions')
      .argument('<email>')
      .option('--clear', 'remove them, for a user who lost them'),
    factors
  )
  answers(
    users
      .command('reset')
      .description('mail a user a link to choose a new password; print it instead where no mail is sent')
      .argument('<email>')
      .option('--link', 'print the link in any case, to hand it over yourself'),
    reset
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

/** Changes a user, with the rights of an admin. */
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

async function factors(email: string, { clear = false }: { clear?: boolean }): Promise<Answer> {
  return withApp(async (app) => {
    const { _id } = await findUser(app, email)
    const store = app.get('factors')

    if (!store) {
      throw new CommandError(
        'Second factors are not configured: write "totp" and "recovery-code" in authentication.authStrategies'
      )
    }
    if (!clear) {
      const listed = await store.list(String(_id))

      return { text: factorsTable(listed), data: listed }
    }

    const removed = await store.clear(String(_id))

    return {
      text: `${email} has no second factor now, and all its sessions have ended`,
      data: removed
    }
  })
}

function factorsTable(factors: Factor[]): string {
  const rows = factors.map(({ id, kind, name, createdAt, usedAt, left }) => [
    kind,
    name ?? (left === undefined ? '-' : `${left} left`),
    minute(createdAt),
    minute(usedAt),
    id
  ])

  return factors.length > 0
    ? table(['kind', 'name', 'since (UTC)', 'used (UTC)', 'id'], rows)
    : 'No second factors'
}

async function reset(email: string, { link: wantsLink = false }: { link?: boolean }): Promise<Answer> {
  return withApp(async (app) => {
    const user = await findUser(app, email)
    const accounts = app.get('passwordLinks')
    const mail = app.get('mail')

    if (user.disabled) {
      throw new CommandError(`${user.email} is disabled: see \`moult users enable\``)
    }
    if (mail && mail.smtp !== undefined && !wantsLink) {
      await accounts.passwordResets.ask(user.email)
      return {
        text: `${user.email} gets a mail with a link that is valid for 30 minutes`,
        data: { email: user.email }
      }
    }

    const link = await accounts.passwordResets.link((await accounts.users.byId(String(user._id)))!)

    return { text: `${link}\nis valid for 30 minutes, and works once`, data: { email: user.email, link } }
  })
}

async function changed(app: Application, { _id }: User, data: UserPatch, done: string): Promise<Answer> {
  const user = await app.service('users').patch(_id, data)

  return { text: `${user.email} ${done}`, data: user }
}
