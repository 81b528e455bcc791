import { Ajv } from '@feathersjs/schema'
import { Type, type TSchema, type TUnsafe } from '@feathersjs/typebox'
import { toMilliseconds, type Duration } from './duration.js'
import { ConfigurationError } from '../errors.js'

const ajv = new Ajv({ verbose: true, allErrors: false, strict: false, code: { optimize: false } })

ajv.addKeyword({
  keyword: 'duration',
  type: ['string', 'number'],
  // the keyword's value: the minimum, ms
  validate: (minimum: number, value: unknown) => (toMilliseconds(value) ?? -1) >= minimum
})

/**
 * The schema of a duration. Its description says what to write instead of a wrong one, as with all settings.
 *
 * @param minimum ms
 */
export function durationSetting(minimum: number, example: string): TUnsafe<Duration> {
  return Type.Unsafe<Duration>({
    type: ['string', 'number'],
    duration: minimum,
    description: `write a duration such as "${example}", or a number of seconds`
  })
}

/**
 * Checks a part of the configuration.
 *
 * @param root The key of that part; '' for the whole configuration
 * @throws ConfigurationError with the first mistake: the key, what is wrong, what to write instead
 */
export function checkConfiguration(schema: TSchema, value: unknown, root: string): void {
  const validate = ajv.compile(schema)

  if (validate(value)) {
    return
  }

  const { instancePath, keyword, params, parentSchema, data } = validate.errors![0]!
  const path = [root, ...instancePath.split('/').slice(1)].filter(Boolean)
  const properties: Record<string, TSchema> = parentSchema?.properties ?? {}

  if (keyword === 'additionalProperties') {
    const names = Object.keys(properties).join(', ')

    throw new ConfigurationError(
      `${[...path, params.additionalProperty].join('.')} is not a known setting: remove it, or write one of ${names}`
    )
  }
  if (keyword === 'required') {
    throw new ConfigurationError(
      `${[...path, params.missingProperty].join('.')} is missing: ${properties[params.missingProperty]?.description}`
    )
  }

  // Not even a wrong secret may get into a log, nor one in the place of an object
  const mayBeSecret =
    ['secret', 'mongodb', 'token', 'smtp'].includes(path.at(-1)!) || parentSchema?.type === 'object'
  const shown = mayBeSecret ? 'can not be used' : `is ${JSON.stringify(data)}`

  throw new ConfigurationError(`${path.join('.')} ${shown}: ${parentSchema?.description}`)
}
