/** The roles, each including the ones before it. */
export const roles = ['user', 'moderator', 'admin'] as const

export type Role = (typeof roles)[number]

/** Whether someone with these roles has what that role may do. */
export function includesRole(owned: readonly Role[], asked: Role): boolean {
  return owned.some((role) => roles.indexOf(role) >= roles.indexOf(asked))
}

/** Someone without roles, made by another program perhaps, is no admin. */
export const isAdmin = ({ roles = [] }: { roles?: readonly Role[] }): boolean => includesRole(roles, 'admin')
