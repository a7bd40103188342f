import { expect, it } from 'vitest';
import { hostNameOf, ServerNames } from './reverse-dns.ts';

it.each([
  ['VPN.Company.example.', 'vpn.company.example'],
  ['a_b-1.example', 'a_b-1.example'],
  ['\u001b[31mred.example', null],
  ['two words', null],
  ['-dash.example', null],
  [`${'a'.repeat(64)}.example`, null],
  ['', null],
])('%j is the host name %j', (text, name) => expect(hostNameOf(text)).toBe(name));

/** Answers when told to. */
function standIn(): { asked: string[]; answer: (name: string | null) => Promise<void>; names: ServerNames } {
  const asked: string[] = [];
  const open: ((name: string | null) => void)[] = [];
  const names = new ServerNames((address) => {
    asked.push(address);
    return new Promise((resolve) => open.push(resolve));
  });
  const answer = async (name: string | null): Promise<void> => {
    open.shift()!(name);
    await Promise.resolve();
    await Promise.resolve();
  };
  return { asked, answer, names };
}

it('nobody is asked about servers unless that is switched on', () => {
  const { asked, names } = standIn();
  expect(names.nameOf('203.0.113.1')).toBeNull();
  expect(asked).toEqual([]);
});

it('a server is asked about once, and its name kept until it is switched off', async () => {
  const { asked, answer, names } = standIn();
  names.isOn = true;
  expect(names.nameOf('203.0.113.1')).toBeNull();
  expect(names.nameOf('203.0.113.1')).toBeNull();
  await answer('vpn.example');
  expect(names.nameOf('203.0.113.1')).toBe('vpn.example');
  expect(asked).toEqual(['203.0.113.1']);
  names.isOn = false;
  expect(names.nameOf('203.0.113.1')).toBeNull();
});

it('four are asked about at once, the others wait, and no more wait than 512', async () => {
  const { asked, answer, names } = standIn();
  names.isOn = true;
  for (let host = 0; host < 600; host += 1) names.nameOf(`198.18.${host >> 8}.${host & 255}`);
  expect(asked).toHaveLength(4);
  for (let count = 0; count < 512; count += 1) await answer(null);
  expect(asked).toHaveLength(516);
  for (let count = 0; count < 4; count += 1) await answer(null);
  expect(asked).toHaveLength(516);
});

it('an answer that comes after it was switched off is forgotten', async () => {
  const { answer, names } = standIn();
  names.isOn = true;
  names.nameOf('203.0.113.1');
  names.isOn = false;
  await answer('vpn.example');
  names.isOn = true;
  expect(names.nameOf('203.0.113.1')).toBeNull();
});
