import type { Middleware } from '@feathersjs/koa'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Application } from './declarations.js'
import { requireMethod } from './routes.js'

const folder = new URL('../public/', import.meta.url) // of src/ and of lib/ alike
const start = 'index.html'

/** A file of the page: small enough to be kept, as it is and, once somebody asked for that, packed. */
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
 * Serves the files of `public/`, and `index.html` as `/`: those that are there at the start, from memory. So a call of
 * a service costs a look into a map and no `stat`, and the page is there while the disk or the database is busy.
 *
 * Browsers ask each time whether they still have the newest (`no-cache`, RFC 9111 §5.2.2.4), and mostly hear 304: a page
 * never meets the script of another version.
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
  const packed = ctx.acceptsEncodings('gzip', 'identity') === 'gzip'
  const { body, etag } = packed ? (file.gzip ??= encoded(gzipSync(file.plain.body))) : file.plain

  ctx.set('Cache-Control', 'no-cache')
  ctx.vary('Accept-Encoding')
  ctx.set('ETag', etag)
  ctx.type = file.type
  ctx.status = 200 // what `fresh` asks for

  if (packed) {
    ctx.set('Content-Encoding', 'gzip')
  }
  if (ctx.fresh) {
    ctx.status = 304
  } else {
    ctx.body = body
  }
}

/** By the path that asks for them. */
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
