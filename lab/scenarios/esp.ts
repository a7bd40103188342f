// Raw ESP of several devices (cases E1 to E6 and E9 to E12).
import { EspPeer } from '../peers/esp.ts';
import { scenario, type Scenario } from '../scenario.ts';

export const espScenarios: readonly Scenario[] = [
  scenario('E1', 'bare ESP without IKE', async (household) => {
    const { device, server, ledger } = household;
    const [client, far] = [new EspPeer(household, device), new EspPeer(household, server)];
    client.send(server.address, 0x1001, server);
    await ledger.settle();
    far.send(household.wan, 0x2001, device);
    await ledger.settle();
  }),
  scenario('E2', 'two devices, two servers', async (household) => {
    const { devices, servers, ledger } = household;
    for (const [index, device] of devices.slice(0, 2).entries()) {
      const server = servers[index]!;
      const [client, far] = [new EspPeer(household, device), new EspPeer(household, server)];
      client.send(server.address, 0x1001, server);
      await ledger.settle();
      for (let round = 0; round < 10; round += 1) {
        far.send(household.wan, 0x2001, device);
        client.send(server.address, 0x1001, server);
      }
    }
    await ledger.settle();
  }),
  scenario('E3', 'two devices, one server, one after the other', async (household) => {
    const { devices, server, ledger } = household;
    const far = new EspPeer(household, server);
    for (const [index, device] of devices.slice(0, 2).entries()) {
      const client = new EspPeer(household, device);
      client.send(server.address, 0x1001 + index, server);
      await ledger.settle();
      far.send(household.wan, 0x2001 + index, device);
      await ledger.settle();
    }
    for (let round = 0; round < 20; round += 1)
      for (const [index, device] of devices.slice(0, 2).entries())
        far.send(household.wan, 0x2001 + index, device);
    await ledger.settle();
  }),
];
