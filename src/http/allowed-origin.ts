/** Returns the origin if CORS lets its pages read answers, else ''. */
export function allowedOrigin(origins: string[]) {
  return ({ headers: { origin } }: { headers: { origin?: string } }) =>
    origin !== undefined && origins.includes(origin) ? origin : ''
}
