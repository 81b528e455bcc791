import type { Command } from 'commander'

// What other programs call these commands
const synonyms: Record<string, string[]> = {
  list: ['show'],
  show: ['list'],
  remove: ['end'],
  delete: ['end', 'disable'],
  create: ['add'],
  new: ['add', 'rotate']
}

/** Answers an unknown command with the commands of the group, and with the one that was probably meant. */
export function suggestCommand(group: Command): void {
  const commands = group.commands.map((command) => command.name())

  group.on('command:*', ([name]: [string]) => {
    const meant = synonyms[name]?.find((synonym) => commands.includes(synonym))
    const hint = meant
      ? `did you mean 'moult ${group.name()} ${meant}'?`
      : `write one of ${commands.join(', ')}`

    group.error(`error: moult ${group.name()} has no command '${name}': ${hint}`)
  })
}
