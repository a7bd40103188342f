import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { COMMANDS } from './commands.ts';
import { runCommandLine } from './command-line.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'throughway-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

/** What the program prints and how it exits. */
async function run(...typed: string[]): Promise<{ status: number; out: string; err: string }> {
  const heard = { out: '', err: '' };
  const hear = (stream: 'out' | 'err') => (text: string | Uint8Array) => {
    heard[stream] += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(hear('out'));
  vi.spyOn(process.stderr, 'write').mockImplementation(hear('err'));
  const status = await runCommandLine(typed);
  vi.restoreAllMocks();
  return { status, ...heard };
}

function write(text: string): string {
  const file = join(folder, 'config.yaml');
  writeFileSync(file, text);
  return file;
}

const golden = (name: string): string =>
  readFileSync(new URL(`../../test/golden/help/${name}.txt`, import.meta.url), 'utf8');

it('a value that is complained of cannot reach the terminal as a command', async () => {
  const { status, err } = await run('enable', '\u001b[2Jpptp\u0007');
  expect(status).toBe(2);
  expect(err).toContain('"\ufffd[2Jpptp\ufffd"');
});

describe('help', () => {
  it('of all, however it is asked for', async () => {
    const text = golden('throughway');
    for (const typed of ['help', '--help', '-h'])
      expect(await run(typed)).toEqual({ status: 0, out: text, err: '' });
    expect(await run()).toEqual({ status: 2, out: text, err: '' });
  });
  for (const { name, args } of COMMANDS) {
    it(`of ${name}`, async () => {
      for (const typed of [
        [name, '--help'],
        [name, '-h'],
        [name, ...args, '--help'],
        ['help', name],
      ])
        expect(await run(...typed)).toEqual({ status: 0, out: golden(name), err: '' });
    });
  }
});

describe('typed wrongly is status 2, and says what is allowed', () => {
  it.each([
    ['stats', '"stats" is not a command. Did you mean "status"? "throughway --help" lists them.'],
    ['--frobnicate', '"--frobnicate" is not a command. "throughway --help" lists them.'],
    ['help me', '"me" is not a command. "throughway --help" lists them.'],
    ['status now', '"throughway status" takes no argument; "now" was given. See "throughway status --help".'],
    ['enable', '"throughway enable" takes PROTOCOL; none was given. See "throughway enable --help".'],
    [
      'enable pptp l2tp',
      '"throughway enable" takes PROTOCOL; "pptp l2tp" was given. See "throughway enable --help".',
    ],
    [
      'enable openvpn',
      '"openvpn" is not a protocol; allowed: ipsec, pptp, l2tp. Type for example: throughway enable pptp.',
    ],
    [
      'status --jsn',
      '"--jsn" is not an option of "throughway status". Did you mean "--json"? See "throughway status --help".',
    ],
    ['status -x', '"-x" is not an option of "throughway status". See "throughway status --help".'],
    ['status --json=yes', '"--json" takes no value; "yes" was given. See "throughway status --help".'],
    ['status --socket', '"--socket" needs a value: --socket PATH. See "throughway status --help".'],
    ['status --socket=', '"--socket" needs a value: --socket PATH. See "throughway status --help".'],
    ['status --socket --json', '"--socket" needs a value: --socket PATH. See "throughway status --help".'],
    [
      'print-ruleset --config x --wan-address 1.2.3',
      '"1.2.3" is not an IPv4 address; one is written such as 192.0.2.1.',
    ],
    [
      'print-ruleset --wan-address 192.0.2.1',
      '"--wan-address" is only for a configuration: name it with --config FILE.',
    ],
  ])('%s', async (typed, message) => {
    expect(await run(...typed.split(' '))).toEqual({ status: 2, out: '', err: `throughway: ${message}\n` });
  });
});

describe('without a daemon', () => {
  it('is status 3, and says how to start it', async () => {
    const socket = join(folder, 'none.sock');
    const message = `throughway: No daemon answers at "${socket}". Start it with "throughway run", or name its socket with --socket PATH.\n`;
    for (const typed of [['status'], ['enable', 'pptp'], ['disable', 'IPsec'], ['print-ruleset']])
      expect(await run(...typed, '--socket', socket)).toEqual({ status: 3, out: '', err: message });
    expect((await run('status', '--socket', write(''))).status).toBe(3);
    expect((await run('status', '--socket', join(write(''), 'below'))).status).toBe(3);
    expect((await run('status', '--socket', join(folder, 'x'.repeat(200)))).status).toBe(3);
  });

  it('the version is known', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(await run('--version')).toEqual({ status: 0, out: `throughway ${version}\n`, err: '' });
    expect(JSON.parse((await run('version', '--json')).out)).toEqual({ version });
  });
});

describe('with something that answers', () => {
  let server: Server;
  let asked: string[];
  const socket = (): string => join(folder, 'throughway.sock');
  const answer = (status: string, body: string, length = Buffer.byteLength(body)) =>
    new Promise<void>((resolve) => {
      asked = [];
      server = createServer((connection) => {
        connection.on('error', () => undefined);
        connection.on('data', (chunk) => {
          asked.push(String(chunk));
          connection.end(
            `HTTP/1.1 ${status} x\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${body}`,
          );
        });
      }).listen(socket(), resolve);
    });
  afterEach(() => server.close());

  it('a switch is told with the connections that ended, and PPTP with its warning', async () => {
    await answer('200', JSON.stringify({ ended: { pptp: 1, ipsec: 2 } }));
    expect((await run('disable', 'PPTP', '--socket', socket())).out).toBe(
      'PPTP Passthrough is disabled; 1 running connection ended.\n',
    );
    expect(asked[0]).toMatch(/^PUT \/api\/v1\/passthrough HTTP.*\{"pptp":"disabled"\}$/s);
    expect((await run('disable', 'ipsec', '--socket', socket())).out).toContain(
      '2 running connections ended.',
    );
    expect((await run('enable', 'l2tp', '--socket', socket())).out).toBe('L2TP Passthrough is enabled.\n');
    expect((await run('enable', 'pptp', '--socket', socket())).out).toContain('PPTP is insecure');
    expect(JSON.parse((await run('enable', 'pptp', '--json', '--socket', socket())).out)).toHaveProperty(
      'ended',
    );
  });

  it('its refusal is status 1, with every problem', async () => {
    const problems = [{ path: 'a', message: '"1" is wrong', hint: 'Correct it', line: 2 }];
    await answer('409', JSON.stringify({ code: 'config-invalid', detail: 'It is broken.', problems }));
    expect(await run('enable', 'pptp', '--socket', socket())).toEqual({
      status: 1,
      out: '',
      err: 'throughway: It is broken.\n  a (line 2): "1" is wrong. Correct it.\n',
    });
  });

  it.each([
    ['200', 'hello'],
    ['500', '<html>'],
    ['404', '{}'],
  ])('what is no daemon is status 1 (%s "%s")', async (status, body) => {
    await answer(status, body);
    const ran = await run('status', '--socket', socket());
    expect([ran.status, ran.out]).toEqual([1, '']);
    expect(ran.err).toContain(`no Throughway of this version; it said "${body}"`);
  });

  it('an answer that breaks off is status 3', async () => {
    await answer('200', '{"ver', 1000);
    const ran = await run('status', '--socket', socket());
    expect([ran.status, ran.out]).toEqual([3, '']);
    expect(ran.err).toMatch(/^throughway: The daemon at ".*" cannot be asked: /);
  });
});

describe('check-config', () => {
  it('a file in order', async () => {
    const file = write('version: 1\ninterfaces: { wan: eth0, lan: [eth1] }\n');
    expect(await run('check-config', file)).toEqual({ status: 0, out: `"${file}" is in order.\n`, err: '' });
    expect(JSON.parse((await run('check-config', '--json', file)).out)).toEqual({ file, problems: [] });
  });

  it('a broken file: every problem with its line, and status 1', async () => {
    const file = write('version: 1\ninterfaces:\n  wan: eth0\n  lan: [eth0]\npasstrough:\n');
    const ran = await run('check-config', file);
    expect([ran.status, ran.out]).toEqual([1, '']);
    expect(ran.err).toBe(
      'throughway: passtrough (line 5): "passtrough" is not a setting; allowed here: version, interfaces, passthrough, ike, timeouts, firewall, names, web. Did you mean "passthrough"?\n' +
        'throughway: interfaces.lan[0] (line 4): "eth0" is the WAN interface and cannot be a LAN interface too. Name the interface behind which the devices are.\n',
    );
    const json = await run('check-config', file, '--json');
    expect([json.status, json.err]).toEqual([1, '']);
    expect((JSON.parse(json.out) as { problems: unknown[] }).problems).toHaveLength(2);
  });

  it('a file that is not there', async () => {
    for (const command of [['check-config'], ['print-ruleset', '--config']]) {
      const ran = await run(...command, join(folder, 'none'));
      expect([ran.status, ran.out]).toEqual([1, '']);
      expect(ran.err).toMatch(
        /^throughway: ".*none" cannot be read: there is no such file\. Name a file that exists and may be read\.\n$/,
      );
    }
  });
});

describe('print-ruleset --config', () => {
  it('prints the table that a configuration would bring, for a WAN address', async () => {
    const file = write('version: 1\ninterfaces: { wan: ppp7, lan: [eth1] }\n');
    const ran = await run('print-ruleset', '--config', file, '--wan-address', '203.0.113.9');
    expect([ran.status, ran.err]).toEqual([0, '']);
    expect(ran.out).toMatch(/^table inet throughway \{\n[^]*\n\}\n$/);
    expect(ran.out).toContain('ip saddr set 203.0.113.9');
    expect((await run('print-ruleset', '--config', file)).out).toContain('"ppp7" ip daddr 192.0.2.1');
  });

  it('tells the problems of a broken one', async () => {
    const ran = await run('print-ruleset', '--config', write('version: 1\n'));
    expect(ran).toEqual({
      status: 1,
      out: '',
      err: 'throughway: interfaces: the setting is missing; a group of settings is needed. Add "interfaces".\n',
    });
  });
});
