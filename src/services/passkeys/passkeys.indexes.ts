import type { NeededIndex } from '../../database/indexes.js'
import { factorIndex } from '../../passkeys/internal.js'

/** By which the users of passkeys are found, and each passkey is one account's. */
export const passkeyIndexes: NeededIndex[] = [{ collection: 'users', ...factorIndex }]
