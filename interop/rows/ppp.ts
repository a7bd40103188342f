// What the rows over PPP share: waiting for the interface and its two addresses.
import type { Machine } from '../machine.ts';
import type { Tunnel } from '../row.ts';

/** Resolves when `ppp0` has its addresses; throws Disproved when pppd gives up. */
export async function pppAddresses(device: Machine, patienceSeconds = 40): Promise<Tunnel> {
  const listed = await device.run(
    `n=0; until ip -4 -o address show dev ppp0 2> /dev/null | grep -q peer; do
      n=$((n + 1)); [ $n -lt ${patienceSeconds * 5} ] || { echo no ppp0; exit 1; }
      sleep 0.2
    done; ip -4 -o address show dev ppp0`,
    (patienceSeconds + 20) * 1000,
  );
  const [, deviceInside, serverInside] = /inet ([\d.]+) peer ([\d.]+)/.exec(listed)!;
  return { serverInside: serverInside!, deviceInside: deviceInside! };
}
