import { encode } from 'uqr'

const namespace = 'http://www.w3.org/2000/svg'

/** A QR code as an SVG: a script of its own, which few visits need. */
export function qrCode(text: string): SVGSVGElement {
  const { data, size } = encode(text, { border: 2 })
  const svg = document.createElementNS(namespace, 'svg')
  const path = document.createElementNS(namespace, 'path')
  const squares = data.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : '')))

  svg.setAttribute('viewBox', `0 0 ${size} ${size}`)
  svg.setAttribute('shape-rendering', 'crispEdges')
  path.setAttribute('d', squares.join(''))
  svg.append(path)

  return svg
}
