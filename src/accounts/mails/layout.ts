import type { MailContent } from './mail.js'

/** The parts of a mail, from top to bottom. */
export interface Letter {
  subject: string
  /** Paragraphs above the link or code. */
  lines: string[]
  action?: { label: string; link: string }
  /** A code to type. */
  code?: string
  /** Paragraphs below. */
  notes?: string[]
  sender: string
}

/** Renders a letter as text and as HTML. The HTML loads nothing: no images, fonts or trackers. */
export function write(letter: Letter): MailContent {
  return { subject: letter.subject, text: asText(letter), html: asHtml(letter) }
}

function asText({ lines, action, code, notes = [], sender }: Letter): string {
  const parts = [...lines, action && `${action.label}:\n${action.link}`, code, ...notes, `-- \n${sender}`]

  return `${parts.filter((part) => part !== undefined).join('\n\n')}\n`
}

// In the head, for the clients that support it, which are most; the others show the inline light colours
const darkMode = `
  :root { color-scheme: light dark; supported-color-schemes: light dark }
  @media (prefers-color-scheme: dark) {
    .page { background: #16181d !important }
    .card { background: #21242b !important; color: #e8eaee !important }
    .note { color: #a9afba !important }
    .button { background: #8ab4ff !important; color: #10131a !important }
    .code { background: #2d313a !important; color: #e8eaee !important }
    a { color: #8ab4ff }
  }`

const font = "-apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"

/** Tables and inline styles, since Outlook and Gmail understand little else. */
function asHtml({ subject, lines, action, code, notes = [], sender }: Letter): string {
  const paragraph = (text: string, style = '', name = '') =>
    `<p class="${name}" style="margin:0 0 16px;${style}">${escaped(text)}</p>`
  const small = 'font-size:14px;line-height:20px;color:#5c6470;'

  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${escaped(subject)}</title>
<style>${darkMode}</style>
</head>
<body class="page" style="margin:0;padding:0;background:#f2f4f7">
<main>
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" style="background:#f2f4f7">
<tr><td align="center" style="padding:32px 16px">
<table role="presentation" class="card" width="100%" cellpadding="0" cellspacing="0" style="max-width:520px;background:#ffffff;border-radius:12px;color:#1d2129;font-family:${font};font-size:16px;line-height:24px">
<tr><td style="padding:32px">
<p class="note" style="margin:0 0 8px;font-size:14px;line-height:20px;color:#5c6470">${escaped(sender)}</p>
<h1 style="margin:0 0 20px;font-size:22px;line-height:28px">${escaped(subject)}</h1>
${lines.map((line) => paragraph(line)).join('\n')}
${action ? button(action) : ''}${code === undefined ? '' : bigCode(code)}
${notes.map((note) => paragraph(note, small, 'note')).join('\n')}
</td></tr>
</table>
</td></tr>
</table>
</main>
</body>
</html>
`
}

function button({ label, link }: { label: string; link: string }): string {
  const style =
    'display:inline-block;padding:12px 24px;border-radius:8px;background:#1f5fd0;color:#ffffff;' +
    'font-weight:600;text-decoration:none'

  return `<p style="margin:24px 0"><a class="button" href="${escaped(link)}" style="${style}">${escaped(label)}</a></p>
<p class="note" style="margin:0 0 16px;font-size:14px;line-height:20px;color:#5c6470;word-break:break-all">Or open this address:<br><a href="${escaped(link)}">${escaped(link)}</a></p>`
}

const bigCode = (code: string): string =>
  `<p style="margin:24px 0"><span class="code" style="display:inline-block;padding:12px 20px;border-radius:8px;background:#eef1f5;font-family:ui-monospace,Menlo,Consolas,monospace;font-size:28px;letter-spacing:6px">${escaped(code)}</span></p>`

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;'
}

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!)
