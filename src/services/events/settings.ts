import type { Static } from '@feathersjs/typebox'
import { durationSetting } from '../../refresh-token/internal.js'
import { switchable } from '../../settings/switchable.js'

const least = 60_000 // ms: MongoDB removes expired documents once a minute

/** `events`: how long the audit trail keeps events; `false` turns it off. */
export const eventsSetting = switchable(
  { keep: durationSetting(least, '90d') },
  'write false, or an object with keep, such as {"keep": "90d"}'
)

export type EventSettings = Static<typeof eventsSetting>
