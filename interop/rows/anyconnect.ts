// The AnyConnect protocol by openconnect and ocserv, with DTLS and with TLS alone.
import { claim, until } from '../../lab/wait.ts';
import type { Machine } from '../machine.ts';
import { CELL, type Row, type Tunnel } from '../row.ts';

const REKEY_SECONDS = 20;
const SERVER_INSIDE = '10.12.0.1';

const SERVER = (withDtls: boolean): string => `
auth = "plain[passwd=/etc/ocserv/passwd]"
tcp-port = 443
${withDtls ? 'udp-port = 443' : ''}
run-as-user = nobody
run-as-group = nogroup
socket-file = /run/ocserv-socket
server-cert = /etc/ocserv/server.crt
server-key = /etc/ocserv/server.key
isolate-workers = false
max-clients = 16
max-same-clients = 4
keepalive = 300
dpd = 60
mobile-dpd = 300
switch-to-tcp-timeout = 25
try-mtu-discovery = false
tls-priorities = "NORMAL:%SERVER_PRECEDENCE"
auth-timeout = 60
cookie-timeout = 300
rekey-time = ${REKEY_SECONDS}
rekey-method = ssl
use-occtl = false
pid-file = /run/ocserv.pid
device = vpns
predictable-ips = false
default-domain = example.com
ipv4-network = 10.12.0.0/24
ping-leases = false
cisco-client-compat = true
dtls-legacy = true
route = 10.12.0.0/255.255.255.0
`;

function anyconnect(withDtls: boolean): Row {
  return {
    id: withDtls ? 'anyconnect-dtls' : 'anyconnect-tls',
    title: `openconnect to ocserv, ${withDtls ? 'DTLS' : 'TLS alone'}`,
    packages: ['openconnect', 'ocserv'],
    server: CELL,
    device: CELL,
    devices: 2,
    isFast: withDtls,
    governedBy: null,
    async prepare({ server, devices }) {
      const key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30';
      server.put('/etc/ocserv/ocserv.conf', SERVER(withDtls));
      await server.run(`set -e; cd /etc/ocserv
        openssl req -x509 ${key} -keyout server.key -out server.crt -subj /CN=${server.name} -addext subjectAltName=DNS:${server.name}
        for user in ${devices.map(({ name }) => name).join(' ')}; do printf 'secret\\nsecret\\n' | ocpasswd -c passwd $user; done`);
      for (const device of devices) device.put('/etc/ocserv.crt', server.read('/etc/ocserv/server.crt'));
      await server.start('ocserv', 'ocserv --foreground --log-stderr -d 2 --config /etc/ocserv/ocserv.conf');
      await server.run('until ss -ltn | grep -q :443; do sleep 0.1; done');
    },
    async connect({ server, devices }, index): Promise<Tunnel> {
      const device = devices[index]!;
      device.put('/etc/hosts', `127.0.0.1 localhost\n${server.host.address} ${server.name}\n`);
      device.put('/root/password', 'secret\n');
      const dtls = withDtls ? '' : '--no-dtls';
      await device.start(
        'openconnect',
        `sh -c "exec openconnect ${dtls} --timestamp -v --user=${device.name} --passwd-on-stdin --cafile=/etc/ocserv.crt --interface=tun0 https://${server.name}/ < /root/password"`,
      );
      await device.run(
        'until ip -4 -o address show dev tun0 2> /dev/null | grep -q inet; do sleep 0.1; done',
      );
      if (withDtls) await device.waitForLog('openconnect', 'Established DTLS connection');
      const listed = await device.run('ip -4 -o address show dev tun0');
      return { serverInside: SERVER_INSIDE, deviceInside: /inet ([\d.]+)/.exec(listed)![1]! };
    },
    async disconnect({ devices }, index) {
      await devices[index]!.run('pkill -x openconnect; while pgrep -x openconnect; do sleep 0.1; done');
    },
    rekeys: [
      {
        title: `the client, after ${REKEY_SECONDS} s`,
        async play({ devices }) {
          const before = devices.map((device) => rehandshakes(device));
          claim(devices.length > 1, 'there are several devices');
          await until(
            'every device to renew its keys',
            () => devices.every((device, index) => rehandshakes(device) > before[index]!),
            5 * REKEY_SECONDS * 1000,
            () => devices[0]!.log('openconnect').slice(-800),
          );
        },
      },
    ],
  };
}

function rehandshakes(device: Machine): number {
  return device.log('openconnect').split(/rekey due|Established DTLS connection|DTLS Rehandshake|CSTP rekey/i)
    .length;
}

export const ANYCONNECT_ROWS: readonly Row[] = [anyconnect(true), anyconnect(false)];
