/** The registry of commands, in the order in which help and reference list them. */
import type { CommandDefinition } from '../define-command.ts'
import { applyCommand } from './apply.ts'
import { completeCommand } from './complete.ts'
import { completionCommand } from './completion.ts'
import { deleteCommand } from './delete.ts'
import { demoCommand } from './demo.ts'
import { describeCommand } from './describe.ts'
import { doctorCommand } from './doctor.ts'
import { exportCommand } from './export.ts'
import { fmtCommand } from './fmt.ts'
import { getCommand } from './get.ts'
import { initCommand } from './init.ts'
import { keyNewCommand } from './key-new.ts'
import { planCommand } from './plan.ts'
import { routeTestCommand } from './route-test.ts'
import { runCommand } from './run.ts'
import { schemaCommand } from './schema.ts'
import { upstreamResetCommand } from './upstream-reset.ts'
import { upstreamSplitCommand } from './upstream-split.ts'
import { validateCommand } from './validate.ts'
import { versionCommand } from './version.ts'

export const commands: readonly CommandDefinition[] = [
  demoCommand,
  runCommand,
  initCommand,
  validateCommand,
  fmtCommand,
  planCommand,
  applyCommand,
  exportCommand,
  getCommand,
  describeCommand,
  deleteCommand,
  routeTestCommand,
  upstreamSplitCommand,
  upstreamResetCommand,
  keyNewCommand,
  schemaCommand,
  doctorCommand,
  completionCommand,
  versionCommand,
  completeCommand,
]
