import type { Middleware } from '@feathersjs/koa'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Application } from '../declarations.js'
import { requireMethod } from './require-method.js'

const folder = new URL('../../public/', import.meta.url) // of src/ and of lib/ alike
const start = 'index.html'

/** A file of the page, kept in memory. It is compressed when it is first requested that way. */
interface PageFile {
  type: string
  plain: Encoded
  gzip?: Encoded
}

interface Encoded {
  body: Buffer
  etag: string
}

/**
 * Serves the files that are in `public/` at the start, from memory, and `index.html` as `/`. So calls of services cost
 * a map lookup rather than a `stat`, and the page loads even while the disk or the database is busy.
 *
 * Browsers revalidate each time (`no-cache`, RFC 9111 §5.2.2.4), mostly with a 304, so a page never runs with the
 * script of another version.
 */
export const page = (): Middleware<Application> => {
  const files = readFiles()

  return async (ctx, next) => {
    const file = files.get(ctx.path)

    if (file) {
      requireMethod(ctx, ['GET', 'HEAD'])
      send(ctx, file)
    } else {
      await next()
    }
  }
}

function send(ctx: Parameters<Middleware<Application>>[0], file: PageFile): void {
  const compressed = ctx.acceptsEncodings('gzip', 'identity') === 'gzip'
  const { body, etag } = compressed ? (file.gzip ??= encoded(gzipSync(file.plain.body))) : file.plain

  ctx.set('Cache-Control', 'no-cache')
  ctx.vary('Accept-Encoding')
  ctx.set('ETag', etag)
  ctx.type = file.type
  ctx.status = 200 // `fresh` needs it

  if (compressed) {
    ctx.set('Content-Encoding', 'gzip')
  }
  if (ctx.fresh) {
    ctx.status = 304
  } else {
    ctx.body = body
  }
}

/** The files, by the path of their URL. */
function readFiles(): Map<string, PageFile> {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map(({ name }) => name)

  return new Map(names.map((name) => [name === start ? '/' : `/${name}`, readFile(name)]))
}

function readFile(name: string): PageFile {
  return { type: extname(name), plain: encoded(readFileSync(new URL(name, folder))) }
}

function encoded(body: Buffer): Encoded {
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` }
}
