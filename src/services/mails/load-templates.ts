import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { templates, type MailTemplates } from '../../accounts/index.js'
import { ConfigurationError } from '../../refresh-token/index.js'

/**
 * The templates that a module exports by default, by kind.
 *
 * @param path Relative to the working directory
 * @throws ConfigurationError
 */
export async function loadTemplates(path: string): Promise<Partial<MailTemplates>> {
  const module = (await import(pathToFileURL(resolve(path)).href).catch((error: Error) => {
    throw new ConfigurationError(
      `mail.templates is "${path}", which can not be imported (${error.message}): write the path of a module`
    )
  })) as { default?: unknown }
  const loaded = Object.entries(module.default ?? {})
  const [wrong] = loaded.filter(([kind, template]) => !(kind in templates) || typeof template !== 'function')

  if (wrong || loaded.length === 0) {
    throw new ConfigurationError(
      `mail.templates exports ${wrong ? `"${wrong[0]}"` : 'nothing'} by default: export an object of functions by kind, of ${Object.keys(templates).join(', ')}`
    )
  }

  return Object.fromEntries(loaded)
}
