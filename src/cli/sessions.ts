import type { Command } from 'commander'
import { present, type Session, type SessionRecord } from '../refresh-token/index.js'
import { withAccounts, type Accounts } from './accounts.js'
import { CommandError, answers, type Answer } from './answer.js'
import { minute, table } from './table.js'

interface EndOptions {
  all?: boolean
}

/** `moult sessions`: lists and ends the sessions of a user. */
export function sessionsCommands(program: Command): void {
  const sessions = program.command('sessions').description('the sessions of a user')
  const end = sessions
    .command('end')
    .description('end one session of a user, or all')
    .argument('<email>')
    .argument('[id]', 'as shown by `sessions list`')
    .option('--all', 'all sessions of the user')

  answers(
    sessions
      .command('list')
      .description('list the live sessions of a user, newest first')
      .argument('<email>'),
    (email: string) => withAccounts((accounts) => list(accounts, email))
  )
  answers(end, async (email: string, id: string | undefined, { all = false }: EndOptions) => {
    if (all === (id !== undefined)) {
      end.error("error: write the id of a session, or '--all'")
    }

    return withAccounts((accounts) => (all ? endAll(accounts, email) : endOne(accounts, email, id!)))
  })
}

async function list({ sessions, idOf }: Accounts, email: string): Promise<Answer> {
  const listed = (await sessions.list(await idOf(email))).map(shown)

  return { text: sessionsTable(listed), data: listed }
}

function sessionsTable(sessions: Shown[]): string {
  const rows = sessions.map(({ id, device, strategy, createdAt, refreshedAt, expiresAt }) => [
    id,
    device.name ?? device.id ?? '-',
    device.ip ?? '-',
    strategy,
    minute(createdAt),
    minute(refreshedAt),
    minute(expiresAt)
  ])
  const header = ['id', 'device', 'address', 'strategy', 'since (UTC)', 'refreshed', 'expires']

  return sessions.length > 0 ? table(header, rows) : 'No sessions'
}

async function endOne({ sessions, idOf }: Accounts, email: string, id: string): Promise<Answer> {
  const session = await sessions.end(await idOf(email), id, 'admin')

  if (!session) {
    throw new CommandError(`${email} has no live session ${id}: see \`moult sessions list ${email}\``)
  }

  return endedAnswer([session])
}

async function endAll({ sessions, idOf }: Accounts, email: string): Promise<Answer> {
  return endedAnswer((await sessions.endAll(await idOf(email), 'admin')) ?? [])
}

const endedAnswer = (sessions: SessionRecord[]): Answer => ({
  text: sessions.length === 1 ? '1 session has ended' : `${sessions.length} sessions have ended`,
  data: sessions.map(shown)
})

type Shown = Omit<Session, 'current'>

/** Without `current`: no session belongs to the command line. */
function shown(session: SessionRecord): Shown {
  const { current: _current, ...rest } = present(session)

  return rest
}
