import { Ajv } from '@feathersjs/schema'
import { Type, type TSchema, type TUnsafe } from '@feathersjs/typebox'
import { toMilliseconds, type Duration } from './duration.js'
import { ConfigurationError } from './errors.js'

const ajv = new Ajv({ verbose: true, allErrors: false, strict: false })

ajv.addKeyword({
  keyword: 'duration',
  type: ['string', 'number'],
  // the keyword's value: the least that it may be, in ms
  validate: (least: number, value: unknown) => (toMilliseconds(value) ?? -1) >= least
})

/** A setting that holds a duration. Its description says what to write, as those of all settings do. */
export function durationSetting(least: number, example: string): TUnsafe<Duration> {
  return Type.Unsafe<Duration>({
    type: ['string', 'number'],
    duration: least,
    description: `write a duration such as "${example}", or a number of seconds`
  })
}

/**
 * Checks a part of the configuration.
 *
 * @param root The key of that part, '' for all of it
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
    const known = Object.keys(properties).join(', ')

    throw new ConfigurationError(
      `${[...path, params.additionalProperty].join('.')} is not a known setting: remove it, or write one of ${known}`
    )
  }
  if (keyword === 'required') {
    throw new ConfigurationError(
      `${[...path, params.missingProperty].join('.')} is missing: ${properties[params.missingProperty]?.description}`
    )
  }

  // A secret must not get into a log, not even a wrong one, or one that stands where an object belongs
  const mayBeSecret = ['secret', 'mongodb', 'token'].includes(path.at(-1)!) || parentSchema?.type === 'object'
  const shown = mayBeSecret ? 'can not be used' : `is ${JSON.stringify(data)}`

  throw new ConfigurationError(`${path.join('.')} ${shown}: ${parentSchema?.description}`)
}
