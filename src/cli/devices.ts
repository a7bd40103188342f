// `throughway devices` and `throughway name-device DEVICE NAME`: who is behind the gateway, and what a person
// calls it.
import { PROTOCOL_NAMES } from '../core/alg/protocol-names.ts';
import type { Device } from '../daemon/api/session.ts';
import { callDaemon, readAnswer } from './client.ts';
import { DEFAULTS, jsonOption, print, socketOption, type Command } from './command.ts';
import { renderTable, type Column } from './table.ts';
import { renderDuration } from './words.ts';

export const devicesCommand: Command = {
  name: 'devices',
  args: [],
  summary: 'show the devices behind the gateway and the VPN protocols that they use',
  options: [jsonOption, socketOption],
  async run(given) {
    const text = await callDaemon(given.text('socket') ?? DEFAULTS.socket, 'GET', '/api/v1/devices');
    if (given.flag('json')) {
      print(text);
      return 0;
    }
    const devices = readAnswer(text) as Device[];
    const width = process.stdout.isTTY ? process.stdout.columns : Infinity;
    print(
      devices.length === 0
        ? 'No devices. They appear here when they use a VPN or speak on the LAN.'
        : renderTable(columns(Date.now()), devices, width).join('\n'),
    );
    return 0;
  },
};

function columns(now: number): readonly Column<Device>[] {
  return [
    { title: 'NAME', cell: ({ name }) => name ?? '-', least: 12 },
    { title: 'ADDRESS', cell: ({ address }) => address },
    { title: 'ID', cell: ({ id }) => id },
    { title: 'MAKER', cell: ({ maker }) => maker ?? '', least: 10, spare: 2 },
    { title: 'SESSIONS', cell: ({ sessions }) => String(sessions), alignRight: true },
    {
      title: 'USED',
      cell: ({ used }) => used.map(({ protocol }) => PROTOCOL_NAMES[protocol]).join(', '),
      least: 10,
      spare: 1,
    },
    {
      title: 'SEEN',
      cell: ({ last_seen }) => `${renderDuration(now - Date.parse(last_seen))} ago`,
      alignRight: true,
      spare: 3,
    },
  ];
}

export const nameCommand: Command = {
  name: 'name-device',
  args: ['DEVICE', 'NAME'],
  summary: 'give a device a name; "" takes it away again',
  options: [jsonOption, socketOption],
  async run(given) {
    const [device, name] = given.args as [string, string];
    const path = `/api/v1/devices/${encodeURIComponent(device)}`;
    const text = await callDaemon(given.text('socket') ?? DEFAULTS.socket, 'PUT', path, {
      given_name: name === '' ? null : name,
    });
    const { id, name: now } = readAnswer(text) as Device;
    print(
      given.flag('json')
        ? text
        : `The device ${id} is ${now === null ? 'without a name' : `called "${now}"`} now.`,
    );
    return 0;
  },
};
