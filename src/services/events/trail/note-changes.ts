import type { Application, HookContext } from '../../../declarations.js'
import { deviceOf } from '../../../refresh-token/internal.js'
import { onFactorChange } from '../../factors/changes.js'
import { onAccountChange } from '../../mails/account-changes.js'
import type { UserService } from '../../users/users.class.js'
import type { UserPatch } from '../../users/users.schema.js'
import type { Noted } from './event.js'

/** Notes the ends of sessions, whatever the reason. */
export function noteEnds(app: Application, note: (event: Noted) => void): void {
  app.service('authentication').sessions.on('ended', ({ userId, session, reason, by }) => {
    const { id, device } = session

    note({ type: 'session-ended', userId, sessionId: id, reason, ...(by && { by }), device })
  })
}

/** Notes changes to accounts, and who made them. */
export function noteChanges(app: Application, note: (event: Noted) => void): void {
  const noteOf = (context: HookContext<UserService>, ...events: Pick<Noted, 'type' | 'roles'>[]) => {
    const { params, result } = context
    const by = params.user && { by: String(params.user._id) }

    for (const user of [result].flat() as { _id: unknown }[]) {
      events.forEach((event) =>
        note({ ...event, userId: String(user._id), ...by, device: deviceOf(undefined, params) })
      )
    }
  }

  app.service('users').hooks({
    after: {
      patch: [
        async (context: HookContext<UserService>) => noteOf(context, ...changes(context.data as UserPatch))
      ],
      remove: [async (context: HookContext<UserService>) => noteOf(context, { type: 'user-deleted' })]
    }
  })
}

/** Notes changes of accounts by links in mails. */
export function noteAccountChanges(app: Application, note: (event: Noted) => void): void {
  onAccountChange(app, ({ type, userId, params }) =>
    note({ type, userId, by: userId, device: deviceOf(undefined, params) })
  )
}

/** Notes changes of factors. */
export function noteFactorChanges(app: Application, note: (event: Noted) => void): void {
  onFactorChange(app, ({ type, userId, kind, by, params }) =>
    note({ type, userId, factor: kind, ...(by && { by }), device: deviceOf(undefined, params) })
  )
}

function changes({ password, email, roles, disabled }: UserPatch): Pick<Noted, 'type' | 'roles'>[] {
  return [
    ...(password === undefined ? [] : [{ type: 'password-changed' as const }]),
    ...(email === undefined ? [] : [{ type: 'email-changed' as const }]),
    ...(roles === undefined ? [] : [{ type: 'roles-changed' as const, roles }]),
    ...(disabled === undefined
      ? []
      : [{ type: disabled ? ('user-disabled' as const) : ('user-enabled' as const) }])
  ]
}
