import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { deviceName } from './name-asker.ts';

it.each([
  ['Ann-Phone', 'Ann-Phone'],
  ["Ann's Büro", "Ann's Büro"],
  ['laptop.office.example', 'laptop'],
  ['Printer 4.2 Max', 'Printer 4.2 Max'],
  ['\u001b[2Jevil\r\n', '2Jevil'],
  // Made of the address by a server, or the address itself: no news.
  ['host-192-168-1-11.lan', null],
  ['192.168.1.11', null],
  ['11', null],
  ['', null],
])('%j is shown as %j', (text, shown) => expect(deviceName('192.168.1.11', text)).toBe(shown));

it('no name spoils a terminal or a page', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      // oxlint-disable-next-line no-control-regex
      expect(deviceName('192.168.1.11', text) ?? '').not.toMatch(/[\u0000-\u001f\u007f-\u009f<>&"]/);
    }),
  );
});
