import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { StateDirectory } from './files.ts';
import { restoreSysctls } from './sysctls.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'throughway-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it.each(['', 'null', '7', '[]', '{"net.ipv4.no_such_setting":"1"}', '{cut off'])(
  'a kept file that says "%s" restores nothing, and goes',
  (text) => {
    const state = new StateDirectory(folder, () => undefined);
    state.write('sysctls.json', text);
    restoreSysctls(state);
    expect(state.read('sysctls.json')).toBeNull();
  },
);
