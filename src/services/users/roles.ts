/** The roles. Each includes those before it. */
export const roles = ['user', 'moderator', 'admin'] as const

export type Role = (typeof roles)[number]

/** Whether these roles include another one. */
export function includesRole(owned: readonly Role[], wanted: Role): boolean {
  return owned.some((role) => roles.indexOf(role) >= roles.indexOf(wanted))
}

/** A user without roles, perhaps created by another program, is not an admin. */
export const isAdmin = ({ roles = [] }: { roles?: readonly Role[] }): boolean => includesRole(roles, 'admin')
