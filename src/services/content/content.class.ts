import { Forbidden, NotAuthenticated, NotFound } from '@feathersjs/errors'
import type { Params } from '@feathersjs/feathers'
import { includesRole, type Role } from '../users/roles.js'

export type BoardName = 'public' | Role

/** A board: an example of a protected resource. */
export interface Board {
  id: BoardName
  title: string
  text: string
}

const boards: Board[] = [
  { id: 'public', title: 'Public board', text: 'Everybody reads this, signed in or not.' },
  { id: 'user', title: 'User board', text: 'You read this because you are signed in.' },
  { id: 'moderator', title: 'Moderator board', text: 'You read this because you are a moderator.' },
  { id: 'admin', title: 'Admin board', text: 'You read this because you are an admin.' }
]

export class ContentService {
  /** The boards that the caller may read. */
  async find({ user }: Params): Promise<Board[]> {
    return boards.filter(({ id }) => mayRead(id, user?.roles))
  }

  /** @throws NotFound, NotAuthenticated without a token, Forbidden without the role */
  async get(id: string, { user }: Params): Promise<Board> {
    const board = boards.find((candidate) => candidate.id === id)

    if (!board) {
      throw new NotFound('There is no such board')
    }
    if (!mayRead(board.id, user?.roles)) {
      throw user
        ? new Forbidden(`This board is for the role '${board.id}'`)
        : new NotAuthenticated('Sign in to read this board')
    }

    return board
  }
}

function mayRead(board: BoardName, roles: Role[] = []): boolean {
  return board === 'public' || includesRole(roles, board)
}
