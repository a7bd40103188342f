import { describe, expect, it } from 'vitest';
import { Failure, reasonOf } from './failure.ts';
import { createLog } from './log.ts';

function logged(pretty: boolean): { log: ReturnType<typeof createLog>; lines: string[] } {
  const lines: string[] = [];
  return { log: createLog(pretty, (line) => lines.push(line)), lines };
}

describe('the log', () => {
  it('is one JSON object a line for programs', () => {
    const { log, lines } = logged(false);
    log('warn', 'two\nlines', { ended: 2, names: ['a'] });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^[^\n]*\n$/);
    const { time, ...rest } = JSON.parse(lines[0]!) as { time: string };
    expect(rest).toEqual({ level: 'warn', msg: 'two\nlines', ended: 2, names: ['a'] });
    expect(new Date(time).toISOString()).toBe(time);
  });

  it('is a readable line on a terminal', () => {
    const { log, lines } = logged(true);
    log('info', 'ready', { pid: 7, socket: '/run/t.sock', names: ['a'] });
    log('error', 'stopped');
    expect(lines.map((line) => line.slice(8))).toEqual([
      ' info  ready pid=7 socket=/run/t.sock names=["a"]\n',
      ' error stopped\n',
    ]);
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d /);
  });
});

describe('a failure', () => {
  it('carries its code and problems', () => {
    const problem = { path: 'a', message: 'wrong', hint: 'Correct it' };
    expect(new Failure('config-invalid', 'It is broken.', [problem])).toMatchObject({
      name: 'Failure',
      code: 'config-invalid',
      message: 'It is broken.',
      problems: [problem],
    });
    expect(new Failure('bad-request', 'x').problems).toEqual([]);
  });
  it('has words for anything thrown', () => {
    expect([reasonOf(new Error('one')), reasonOf('two'), reasonOf(undefined)]).toEqual([
      'one',
      'two',
      'undefined',
    ]);
  });
});
