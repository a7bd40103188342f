// `throughway selftest`: the lab's cases on this machine's kernel, as a program of its own, since the lab
// is no part of the daemon. Needs no daemon, and touches no real traffic.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { complain, jsonOption, type Command } from './command.ts';

export const selftestCommand: Command = {
  name: 'selftest',
  args: [],
  summary: 'try the passthrough cases on a test gateway beside the real one',
  options: [jsonOption],
  run(given) {
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
