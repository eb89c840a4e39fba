import { Command } from 'commander'
import type { Io } from './io.ts'
import { keysExportCommand } from './keys-export.ts'
import { keysImportCommand } from './keys-import.ts'
import { keysInitCommand } from './keys-init.ts'
import { keysListCommand } from './keys-list.ts'
import { keysRevokeCommand } from './keys-revoke.ts'
import { keysRotateCommand } from './keys-rotate.ts'
import { keysSignCommand } from './keys-sign.ts'

/** `release keys`: who signs for a repository. */
export function keysCommand(io: Io): Command {
  return new Command('keys')
    .description(
      'Make the keys that sign a repository, see who signs for what, put new keys in the place of old ones, and sign where no network is.',
    )
    .addCommand(keysInitCommand(io))
    .addCommand(keysListCommand(io))
    .addCommand(keysRotateCommand(io))
    .addCommand(keysRevokeCommand(io))
    .addCommand(keysExportCommand(io))
    .addCommand(keysSignCommand(io))
    .addCommand(keysImportCommand(io))
}
