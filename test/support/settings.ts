import { readSettings } from '../../src/refresh-token/settings/settings.js'
import { merge, type Settings } from './app.js'

/** What `authentication` in config/ has to hold at least. */
export const leastSettings: Settings = {
  entity: 'user',
  service: 'users',
  authStrategies: ['jwt', 'local', 'refresh-token'],
  secret: 'key of access tokens',
  'refresh-token': { secret: 'key of refresh tokens' }
}

/** Reads the settings of the heart as an app does at its start. */
export const settingsWith = (changes: Settings = {}, production = false) =>
  readSettings(merge(leastSettings, changes), 'authentication', production)
