import type { Command } from 'commander'
import type { Application } from '../declarations.js'
import { present, type Session, type SessionRecord } from '../refresh-token/index.js'
import { CommandError, answers, type Answer } from './answer.js'
import { findUser } from './find-user.js'
import { minute, table } from './table.js'
import { withApp } from './with-app.js'

interface EndOptions {
  all?: boolean
}

/** `moult sessions`: where a user is signed in. */
export function sessionsCommands(program: Command): void {
  const sessions = program.command('sessions').description('where a user is signed in')
  const end = sessions
    .command('end')
    .description('signs a user out of one session, or of all, at once')
    .argument('<email>')
    .argument('[id]', 'as `sessions list` shows it')
    .option('--all', 'all sessions of the user')

  answers(
    sessions
      .command('list')
      .description('lists the live sessions of a user, the newest first')
      .argument('<email>'),
    (email: string) => withApp((app) => list(app, email))
  )
  answers(end, async (email: string, id: string | undefined, { all = false }: EndOptions) => {
    if (all === (id !== undefined)) {
      end.error("error: write the id of a session, or '--all'")
    }

    return withApp((app) => (all ? endAll(app, email) : endOne(app, email, id!)))
  })
}

async function list(app: Application, email: string): Promise<Answer> {
  const sessions = (await storeOf(app).list(await idOf(app, email))).map(shown)

  return { text: sessionsTable(sessions), data: sessions }
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

async function endOne(app: Application, email: string, id: string): Promise<Answer> {
  const session = await storeOf(app).end(await idOf(app, email), id, 'admin')

  if (!session) {
    throw new CommandError(`${email} has no live session ${id}: see \`moult sessions list ${email}\``)
  }

  return endedAnswer([session])
}

async function endAll(app: Application, email: string): Promise<Answer> {
  return endedAnswer((await storeOf(app).endAll(await idOf(app, email), 'admin')) ?? [])
}

const endedAnswer = (sessions: SessionRecord[]): Answer => ({
  text: sessions.length === 1 ? '1 session has ended' : `${sessions.length} sessions have ended`,
  data: sessions.map(shown)
})

type Shown = Omit<Session, 'current'>

/** None of them is the one that asks. */
function shown(session: SessionRecord): Shown {
  const { current: _current, ...rest } = present(session)

  return rest
}

const storeOf = (app: Application) => app.service('authentication').sessions

const idOf = async (app: Application, email: string): Promise<string> =>
  String((await findUser(app, email))._id)
