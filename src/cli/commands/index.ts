/** The registry of commands, in the order in which help and reference list them. */
import type { CommandDefinition } from '../define-command.ts'
import { completeCommand } from './complete.ts'
import { completionCommand } from './completion.ts'
import { deleteCommand } from './delete.ts'
import { demoCommand } from './demo.ts'
import { describeCommand } from './describe.ts'
import { exportCommand } from './export.ts'
import { getCommand } from './get.ts'
import { keyNewCommand } from './key-new.ts'
import { runCommand } from './run.ts'
import { upstreamResetCommand } from './upstream-reset.ts'
import { upstreamSplitCommand } from './upstream-split.ts'
import { versionCommand } from './version.ts'

export const commands: readonly CommandDefinition[] = [
  demoCommand,
  runCommand,
  exportCommand,
  getCommand,
  describeCommand,
  deleteCommand,
  upstreamSplitCommand,
  upstreamResetCommand,
  keyNewCommand,
  completionCommand,
  versionCommand,
  completeCommand,
]
