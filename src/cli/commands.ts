// The one table of commands: the help, the parsing and the manual come from it.
import { applyCommand, confirmCommand, revertCommand } from './apply.ts';
import { backupCommand, restoreCommand } from './backup.ts';
import { checkConfigCommand } from './check-config.ts';
import type { Command } from './command.ts';
import { completionCommand } from './completion.ts';
import { configCommand } from './config.ts';
import { doctorCommand } from './doctor.ts';
import { downCommand } from './down.ts';
import { explainCommand } from './explain.ts';
import { logsCommand } from './logs.ts';
import { printRulesetCommand } from './print-ruleset.ts';
import { probeCommand } from './probe.ts';
import { reflectorCommand } from './reflector.ts';
import { runCommand } from './run.ts';
import { selftestCommand } from './selftest.ts';
import { setupCommand } from './setup.ts';
import { statusCommand } from './status.ts';
import { devicesCommand, nameCommand } from './devices.ts';
import { endCommand } from './end.ts';
import { eventsCommand } from './events.ts';
import { sessionCommand } from './session.ts';
import { sessionsCommand } from './sessions.ts';
import { disableCommand, enableCommand } from './switch.ts';
import { tokenCommand } from './token.ts';
import { userCommand } from './user.ts';
import { versionCommand } from './version.ts';

export const COMMANDS: readonly Command[] = [
  setupCommand,
  runCommand,
  statusCommand,
  sessionsCommand,
  sessionCommand,
  endCommand,
  devicesCommand,
  nameCommand,
  eventsCommand,
  logsCommand,
  enableCommand,
  disableCommand,
  doctorCommand,
  probeCommand,
  selftestCommand,
  reflectorCommand,
  explainCommand,
  checkConfigCommand,
  configCommand,
  applyCommand,
  confirmCommand,
  revertCommand,
  backupCommand,
  restoreCommand,
  userCommand,
  tokenCommand,
  printRulesetCommand,
  downCommand,
  completionCommand(() => COMMANDS),
  versionCommand,
];
