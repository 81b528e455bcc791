/** Whether CORS lets a page of this origin read answers: the origin if so, else ''. */
export function allowedOrigin(origins: string[]) {
  return ({ headers: { origin } }: { headers: { origin?: string } }) =>
    origin !== undefined && origins.includes(origin) ? origin : ''
}
