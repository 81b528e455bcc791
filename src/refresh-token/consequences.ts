import type { Params } from '@feathersjs/feathers'

/** What follows once it is known how a call ended. */
export interface Consequence {
  answered?: () => Promise<unknown>
  failed?: () => Promise<unknown>
}

type Method = (data: never, params?: never, ...context: never[]) => Promise<unknown>

const consequences = Symbol('consequences')

/** What is to follow a call, by its params; undefined if they are not those of a method with consequences. */
export const consequencesOf = (params: Params): Consequence[] | undefined =>
  (params as { [consequences]?: Consequence[] })[consequences]

/**
 * A method of a service whose calls have consequences, after all hooks: those of the app, too, and the listeners to its
 * events.
 */
export const withConsequences = <M extends Method>(method: M): M =>
  new Proxy(method, {
    async apply(target, service, [data, params, ...context]: [unknown, Params?, ...unknown[]]) {
      const noted: Consequence[] = []

      try {
        const args = [data, { ...params, [consequences]: noted }, ...context]
        const result: unknown = await Reflect.apply(target, service, args)

        for (const { answered } of noted) {
          await answered?.()
        }

        return result
      } catch (error) {
        for (const { failed } of noted) {
          await failed?.()
        }

        throw error
      }
    }
  })
