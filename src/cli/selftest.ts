// `throughway selftest`: the lab's cases on this machine's kernel, as a program of its own, since the lab
// is no part of the daemon. Needs no daemon, and touches no real traffic. With --through, the path to a
// second machine instead.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { complain, jsonOption, socketOption, UsageError, type Command } from './command.ts';
import { runPathTest } from './path-test.ts';
import { REFLECTOR_PORT } from './reflector.ts';

export const selftestCommand: Command = {
  name: 'selftest',
  args: [],
  summary: 'try the passthrough cases on a test gateway beside the real one',
  options: [
    {
      name: 'through',
      value: 'HOST',
      help: 'try the real path to this host instead, where "throughway reflector" runs',
    },
    { name: 'token', value: 'TOKEN', help: 'with --through: what the reflector has printed' },
    { name: 'port', value: 'PORT', help: `with --through: the reflector's port (default ${REFLECTOR_PORT})` },
    jsonOption,
    socketOption,
  ],
  run(given) {
    const host = given.text('through');
    if (host !== undefined) return runPathTest(host, given);
    for (const option of ['token', 'port'])
      if (given.text(option) !== undefined)
        throw new UsageError(
          `"--${option}" is only for the path to a reflector: name it with --through HOST.`,
        );
    const program = fileURLToPath(new URL('../../lab/selftest.ts', import.meta.url));
    if (!existsSync(program)) {
      complain(`The self-test is not installed: "${program}" is missing. Install the package anew.`);
      return Promise.resolve(1);
    }
    return new Promise((resolve) => {
      const child = spawn(process.execPath, [program, ...(given.flag('json') ? ['--json'] : [])], {
        stdio: 'inherit',
      });
      child.once('error', (error) => {
        complain(`The self-test cannot be started: ${error.message}.`);
        resolve(1);
      });
      child.once('close', (status) => resolve(status ?? 1));
    });
  },
};
