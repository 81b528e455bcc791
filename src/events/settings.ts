import type { Static } from '@feathersjs/typebox'
import { switchable } from '../rate-limits/settings.js'
import { durationSetting } from '../refresh-token/configuration-check.js'

const least = 60_000 // ms: MongoDB takes away what is past its time once a minute

/** `events`: how long the audit trail keeps what happened; `false` for none. */
export const eventsSetting = switchable(
  { keep: durationSetting(least, '90d') },
  'write false, or an object with keep, such as {"keep": "90d"}'
)

export type EventSettings = Static<typeof eventsSetting>
