import { Argument, Option, type Command } from 'commander'
import { ObjectId } from 'mongodb'
import type { Application } from '../declarations.js'
import { eventTypes, type AuditEvent, type EventType } from '../services/events/trail/event.js'
import { CommandError, answers, type Answer } from './answer.js'
import { findUser } from './find-user.js'
import { minute, table } from './table.js'
import { wholeNumber } from './whole-number.js'
import { withApp } from './with-app.js'

interface ListOptions {
  type?: EventType
  limit: number
  skip: number
}

/** `moult events`: what the audit trail holds. */
export function eventsCommands(program: Command): void {
  const events = program.command('events').description('the audit trail')

  answers(
    events
      .command('list')
      .description('list the events of all accounts, or of one, newest first')
      .addArgument(new Argument('[user]', 'an email, or the id of a user who may be deleted'))
      .addOption(new Option('--type <type>', 'only events of this type').choices(eventTypes))
      .addOption(new Option('--limit <count>', 'how many at most').default(100).argParser(wholeNumber))
      .addOption(new Option('--skip <count>', 'how many to skip').default(0).argParser(wholeNumber)),
    (user: string | undefined, options: ListOptions) => withApp((app) => list(app, user, options))
  )
}

async function list(app: Application, user: string | undefined, options: ListOptions): Promise<Answer> {
  if (!app.get('events')) {
    throw new CommandError(
      'There is no audit trail: write an object into the setting events (docs/events.md)'
    )
  }

  const { type, limit, skip } = options
  const userId = user && (await idOf(app, user))
  const { total, data } = await app
    .get('eventStore')
    .find({ ...(userId && { userId }), ...(type && { type }) }, { limit, skip })

  return {
    text: eventsTable(data, await emailsOf(app, data), total),
    data: { total, limit, skip, data }
  }
}

const isId = (user: string): boolean => /^[0-9a-f]{24}$/i.test(user)

const idOf = async (app: Application, user: string): Promise<string> =>
  isId(user) ? user.toLowerCase() : String((await findUser(app, user))._id)

/** The emails of the users of events who are not deleted, by id. */
async function emailsOf(app: Application, events: AuditEvent[]): Promise<Map<string, string>> {
  const ids = [...new Set(events.flatMap(({ userId, by }) => [userId, by]))].filter((id) => id !== undefined)
  const found = await app.service('users').find({
    query: { _id: { $in: ids.map((id) => new ObjectId(id)) } },
    paginate: false
  })

  return new Map(found.map(({ _id, email }) => [String(_id), email]))
}

function eventsTable(events: AuditEvent[], emails: Map<string, string>, total: number): string {
  const nameOf = (id: string | undefined) => (id === undefined ? '-' : (emails.get(id) ?? id))
  const rows = events.map(({ createdAt, type, userId, device, by, ...event }) => [
    minute(createdAt),
    type,
    nameOf(userId),
    event.reason ?? event.strategy ?? event.roles?.join(', ') ?? '-',
    nameOf(by),
    device.name ?? device.id ?? '-',
    device.ip ?? '-'
  ])
  const rest = events.length < total ? ': --limit and --skip show others' : ''

  return [
    table(['time (UTC)', 'event', 'user', 'details', 'by', 'device', 'address'], rows),
    '',
    `${events.length} of ${total} events${rest}`
  ].join('\n')
}
