// The daemon's log: one JSON object a line on stderr, or a readable line on a terminal. Written at
// once, so that nothing is lost when the process ends. Rotation is the journal's work, not ours.
import { writeSync } from 'node:fs';

export type Level = 'debug' | 'info' | 'warn' | 'error';
export type Log = (level: Level, message: string, fields?: Record<string, unknown>) => void;

/** `write` gets whole lines; by default they go to stderr. */
export function createLog(pretty: boolean, write: (line: string) => void = writeStderr): Log {
  return (level, message, fields = {}) => {
    const time = new Date().toISOString();
    if (!pretty) {
      write(`${JSON.stringify({ time, level, msg: message, ...fields })}\n`);
      return;
    }
    const rest = Object.entries(fields).map(
      ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
    write(`${time.slice(11, 19)} ${level.padEnd(5)} ${message}${rest.join('')}\n`);
  };
}

function writeStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // Nobody reads stderr any more (EPIPE), or the disk behind it is full: the gateway goes on.
  }
}
