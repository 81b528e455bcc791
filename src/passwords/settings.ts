import { Type, type Static } from '@feathersjs/typebox'

const wholeNumber = (minimum: number, maximum: number, meaning: string) =>
  Type.Integer({
    minimum,
    maximum,
    description: `write ${meaning}, a whole number from ${minimum} to ${maximum}`
  })

/** The settings in `passwords`. The defaults are in config/default.json, the reasons in docs/passwords.md. */
export const passwordsSchema = Type.Object(
  {
    memoryCost: wholeNumber(7168, 2 ** 20, 'how many KiB of memory one hash takes'), // the least that OWASP lists
    timeCost: wholeNumber(1, 100, 'how many passes one hash makes'),
    parallelism: wholeNumber(1, 64, 'how many lanes one hash has'),
    concurrency: wholeNumber(1, 128, 'how many passwords are hashed at once'),
    queue: wholeNumber(0, 10_000, 'how many requests may wait for that')
  },
  {
    additionalProperties: false,
    description: 'write an object with memoryCost, timeCost, parallelism, concurrency and queue'
  }
)
export type PasswordSettings = Static<typeof passwordsSchema>
