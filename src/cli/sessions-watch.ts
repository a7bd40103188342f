// `throughway sessions --watch`: the table, live, on a screen of its own. Keys: arrows or j and k choose,
// Enter shows everything of the chosen one, s sorts, q or Ctrl-C ends. The terminal is as before
// whatever happens.
import { emitKeypressEvents } from 'node:readline';
import type { Session, SessionStory } from '../daemon/api/session.ts';
import { callDaemon, ClientError, readAnswer } from './client.ts';
import { renderStory } from './session.ts';
import { renderSessions, SORTS, sortSessions, type Sort } from './session-table.ts';
import { fit, wrap } from './table.ts';
import { hasColours, paint } from './words.ts';

const EVERY_MS = 1_000;
const ENTER_SCREEN = '\u001b[?1049h\u001b[?25l';
const LEAVE_SCREEN = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_REST = '\u001b[J';
const REVERSE = 7;

export interface WatchState {
  sessions: readonly Session[];
  story: SessionStory | null;
  sort: Sort;
  /** Of the chosen session, or null before anything is chosen. */
  chosen: string | null;
  /** What goes wrong, or empty. */
  note: string;
}

export interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly colours: boolean;
  readonly now: number;
}

/** What fills the screen, at most `rows` lines of at most `columns`. Pure. */
export function drawWatch(state: WatchState, { columns, rows, colours, now }: Screen): string[] {
  const keys = state.story
    ? 'Esc back   q quit'
    : `↑↓ choose   Enter details   s sort (${state.sort})   q quit`;
  const foot = [
    state.note === '' ? '' : paint(fit(`! ${state.note}`, columns), 31, colours),
    fit(keys, columns),
  ];
  const room = Math.max(1, rows - foot.length);
  if (state.story) {
    const lines = renderStory(state.story).flatMap((line) => wrapped(line, columns));
    // The latest of the history matters most: what does not fit is left out in the middle.
    const shown = lines.length <= room ? lines : [...lines.slice(0, room - 6), '  …', ...lines.slice(-5)];
    return [...pad(shown.slice(0, room), room), ...foot].slice(0, rows);
  }
  const sorted = sortSessions(state.sessions, state.sort);
  const { title, rows: groups } = renderSessions(sorted, { width: columns, colours, now });
  const counts = `${sorted.length} session${sorted.length === 1 ? '' : 's'}, ${sorted.filter((one) => one.trouble !== null).length} with trouble`;
  const head = [fit(`Throughway: ${counts}`, columns), title];
  const space = Math.max(0, room - head.length);
  const at = Math.max(
    0,
    sorted.findIndex(({ id }) => id === state.chosen),
  );
  const body: string[] = [];
  // Begins so that the chosen one and its sentence are on the screen.
  let from = 0;
  while (groups.slice(from, at + 1).flat().length > space && from < at) from += 1;
  for (const [index, group] of groups.slice(from).entries()) {
    const isChosen = state.chosen !== null && from + index === at;
    for (const line of group)
      body.push(isChosen ? paint(stripped(line).padEnd(columns), REVERSE, true) : line);
    if (body.length >= space) break;
  }
  return [...head, ...pad(body.slice(0, space), space), ...foot].slice(0, rows);
}

/** Lines that go on stand a little to the right. */
function wrapped(line: string, columns: number): string[] {
  const lead = /^ */.exec(line)![0];
  return wrap(line.trimStart(), columns - 4, lead).map((text, index) =>
    fit(index === 0 ? text : `    ${text}`, columns),
  );
}

function pad(lines: readonly string[], count: number): string[] {
  return [...lines, ...Array<string>(Math.max(0, count - lines.length)).fill('')];
}

// oxlint-disable-next-line no-control-regex
const stripped = (line: string): string => line.replaceAll(/\u001b\[\d+m/g, '');

/** Resolves to the exit status when the user ends it. */
export async function watchSessions(socket: string, path: string): Promise<number> {
  const { stdin, stdout } = process;
  const state: WatchState = { sessions: [], story: null, sort: 'id', chosen: null, note: '' };
  // What cannot be asked the first time is a failure, and later a note.
  state.sessions = readAnswer(await callDaemon(socket, 'GET', path)) as Session[];
  let storyOf: string | null = null;
  const draw = (): void => {
    const lines = drawWatch(state, {
      columns: stdout.columns,
      rows: stdout.rows,
      colours: hasColours(stdout),
      now: Date.now(),
    });
    stdout.write(`${HOME}${lines.map((line) => `${line}${CLEAR_LINE}`).join('\r\n')}${CLEAR_REST}`);
  };
  const ask = async (): Promise<void> => {
    try {
      state.sessions = readAnswer(await callDaemon(socket, 'GET', path)) as Session[];
      if (storyOf === null) state.story = null;
      else
        state.story = readAnswer(
          await callDaemon(socket, 'GET', `/api/v1/sessions/${storyOf}`),
        ) as SessionStory;
      state.note = '';
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      state.note = error.message.split('\n')[0]!;
    }
    draw();
  };
  const move = (steps: number): void => {
    const sorted = sortSessions(state.sessions, state.sort);
    const at = sorted.findIndex(({ id }) => id === state.chosen);
    const next = at < 0 ? 0 : Math.min(sorted.length - 1, Math.max(0, at + steps));
    state.chosen = sorted[next]?.id ?? null;
  };
  let finish: (status: number) => void = () => undefined;
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });
  const onKey = (_text: string | undefined, key: { name?: string; ctrl?: boolean }): void => {
    if (key.name === 'q' || (key.ctrl && key.name === 'c')) {
      finish(0);
      return;
    }
    if (key.name === 'up' || key.name === 'k') move(-1);
    else if (key.name === 'down' || key.name === 'j') move(1);
    else if (key.name === 'pageup') move(-10);
    else if (key.name === 'pagedown') move(10);
    else if (key.name === 's') state.sort = SORTS[(SORTS.indexOf(state.sort) + 1) % SORTS.length]!;
    else if (key.name === 'return' && state.chosen !== null) {
      storyOf = state.chosen;
      void ask();
    } else if (key.name === 'escape' || key.name === 'backspace' || key.name === 'left') {
      storyOf = state.story = null;
    }
    draw();
  };
  const onSignal = (): void => finish(0);
  const signals = ['SIGTERM', 'SIGHUP', 'SIGINT'] as const;
  const restore = (): void => {
    stdout.write(LEAVE_SCREEN);
    stdin.setRawMode(false);
  };
  process.once('exit', restore);
  emitKeypressEvents(stdin);
  stdin.setRawMode(true);
  stdin.resume();
  stdin.on('keypress', onKey);
  stdout.on('resize', draw);
  for (const signal of signals) process.on(signal, onSignal);
  stdout.write(ENTER_SCREEN);
  draw();
  const timer = setInterval(() => void ask(), EVERY_MS);
  try {
    return await finished;
  } finally {
    clearInterval(timer);
    for (const signal of signals) process.off(signal, onSignal);
    stdout.off('resize', draw);
    stdin.off('keypress', onKey);
    stdin.pause();
    process.off('exit', restore);
    restore();
  }
}
