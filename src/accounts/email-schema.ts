import { Type, type TString } from '@feathersjs/typebox'

export const emailSchema: TString = Type.String({ format: 'email', maxLength: 254 }) // RFC 5321 §4.5.3.1.3, less the angle brackets
