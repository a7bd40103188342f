// `throughway down`: takes the gateway out of the packets' way. The daemon does it and stops; without
// one it is done here.
import { callDaemon, ClientError } from './client.ts';
import { complain, DEFAULTS, print, socketOption, stateDirOption, type Command } from './command.ts';

export const downCommand: Command = {
  name: 'down',
  args: [],
  summary: 'stop the daemon, remove our nftables table, restore the system settings',
  options: [stateDirOption, socketOption],
  async run(given) {
    try {
      await callDaemon(given.text('socket') ?? DEFAULTS.socket, 'POST', '/api/v1/down');
      const { waitForEnd } = await import('../daemon/down.ts');
      await waitForEnd();
    } catch (error) {
      if (!(error instanceof ClientError) || error.exitStatus !== 3) throw error;
      const { tearDown } = await import('../daemon/down.ts');
      const { Failure } = await import('../daemon/failure.ts');
      try {
        await tearDown(given.text('state-dir') ?? DEFAULTS.stateDir);
      } catch (failure) {
        if (!(failure instanceof Failure)) throw failure;
        complain(failure.message);
        return failure.code === 'no-permission' ? 4 : 1;
      }
    }
    print(
      'Throughway is down: its table is removed and the system settings are restored. No device gets through until it runs again.',
    );
    return 0;
  },
};
