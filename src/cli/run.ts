// `throughway run`: the daemon in the foreground.
import {
  DEFAULTS,
  complain,
  configOption,
  socketOption,
  stateDirOption,
  UsageError,
  type Command,
} from './command.ts';
import { renderProblem } from '../core/config/problem.ts';

export const runCommand: Command = {
  name: 'run',
  args: [],
  summary: 'run the gateway in the foreground until it is told to stop',
  options: [
    configOption,
    stateDirOption,
    socketOption,
    { name: 'trace', value: 'FILE', help: 'write what is observed and what becomes of it, as a transcript' },
    {
      name: 'trace-masked',
      value: null,
      help: 'with --trace: other addresses and names stand for the real ones',
    },
  ],
  async run(given) {
    if (given.flag('trace-masked') && !given.flag('trace'))
      throw new UsageError('"--trace-masked" is only for a trace: name its file with --trace FILE.');
    // Loaded only here, so that the other commands start quickly.
    const { runDaemon } = await import('../daemon/run.ts');
    const { Failure } = await import('../daemon/failure.ts');
    try {
      await runDaemon({
        config: given.text('config') ?? DEFAULTS.config,
        stateDir: given.text('state-dir') ?? DEFAULTS.stateDir,
        socket: given.text('socket') ?? DEFAULTS.socket,
        trace: given.text('trace') ?? null,
        traceMasked: given.flag('trace-masked'),
      });
      // All is closed and written. A question to a DNS server may still be under way, for whose answer nobody waits.
      process.exit(0);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      complain(error.message);
      for (const problem of error.problems) complain(`  ${renderProblem(problem)}`);
      return error.code === 'no-permission' ? 4 : 1;
    }
  },
};
