import type { Id } from '@feathersjs/feathers'
import { foreignSessions } from '../sessions/users.js'
import type { Entity } from './entity.js'

const sample = 1000 // documents: there may be millions

/**
 * Checks a sample of the user documents: whether sessions can be stored in them.
 *
 * @param key The key of the configuration
 * @param warn Called with a sentence for each problem, which says what is wrong and what to do
 */
export async function checkUsers(
  entity: Entity,
  key: string,
  warn: (sentence: string) => void
): Promise<void> {
  const collection = await entity.collection()
  const { field } = entity.users
  const [user] = await collection.find({}, { projection: { [entity.idField]: 1 }, limit: 1 }).toArray()
  const [foreign] = await collection
    .aggregate([
      { $project: { [field]: 1 } },
      { $limit: sample },
      { $match: foreignSessions(field) },
      { $limit: 1 }
    ])
    .toArray()

  if (user && user[entity.idField] === undefined) {
    warn(
      `Users have no field ${entity.idField}, which should hold their id: ` +
        `write the name of the field that holds it in ${key}.entityId, such as "_id"`
    )
  } else if (user && !(await isFound(entity, user[entity.idField]))) {
    const id = user[entity.idField] as Id

    warn(
      `Users can not be found by their ids in tokens, such as "${String(id)}": ` +
        (typeof id === 'number'
          ? 'give the entity service the option disableObjectify: true'
          : 'store ids of the type string, number or ObjectId, or give the class of the entity service methods getObjectId and filterQuery that read them')
    )
  }
  if (foreign) {
    warn(
      `Users have a field ${field} that holds something other than sessions: ` +
        `write the name of a field that they do not have in ${key}.refresh-token.sessionsField`
    )
  }
}

async function isFound(entity: Entity, id: Id): Promise<boolean> {
  return entity.accepts(id) && (await entity.users.find(entity.users.is(String(id)))) !== null
}
