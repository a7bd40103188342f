// What a command is: one entry of the table in commands.ts, from which the help, the parsing and the
// manual come. A command returns the exit status: 0 done, 1 failed, 2 usage, 3 no daemon,
// 4 no permission.

export interface Option {
  /** Without the dashes. */
  readonly name: string;
  /** What stands for the value in the help, or null for a flag. */
  readonly value: string | null;
  readonly help: string;
}

export interface Command {
  readonly name: string;
  /** The arguments as the help shows them, such as `PROTOCOL`; those that may be left out in brackets. */
  readonly args: readonly string[];
  readonly summary: string;
  readonly options: readonly Option[];
  run(given: Given): Promise<number>;
}

/** What was typed: arguments in the command's order, options by name. */
export interface Given {
  readonly args: readonly string[];
  text(option: string): string | undefined;
  flag(option: string): boolean;
}

export const DEFAULTS = {
  config: '/etc/throughway/config.yaml',
  stateDir: '/var/lib/throughway',
  socket: '/run/throughway/throughway.sock',
} as const;

export const configOption: Option = {
  name: 'config',
  value: 'FILE',
  help: `the configuration (default ${DEFAULTS.config})`,
};
export const stateDirOption: Option = {
  name: 'state-dir',
  value: 'DIR',
  help: `what is kept between two runs (default ${DEFAULTS.stateDir})`,
};
export const socketOption: Option = {
  name: 'socket',
  value: 'PATH',
  help: `the daemon's socket (default ${DEFAULTS.socket})`,
};
export const jsonOption: Option = { name: 'json', value: null, help: 'print JSON for programs' };

/** Typed wrongly: the message names it, what is allowed and what to do. */
export class UsageError extends Error {}

export function print(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Values stand in quotes in it, and may be anything: what would move the cursor is shown as a sign. */
export function complain(text: string): void {
  process.stderr.write(`throughway: ${text.replaceAll(CONTROLS, '\ufffd')}\n`);
}
