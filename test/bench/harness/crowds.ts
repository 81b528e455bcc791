/** Who keeps a session, and who only signs in: many sign-ins would end the sessions of the others. */
export type Crowd = 'keeps' | 'signs-in'

export const emailOf = (crowd: Crowd, index: number): string => `${crowd}-${index}@example.com`

export const password = 'a long walk by the sea'
