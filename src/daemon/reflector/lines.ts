// The control connection of a path test: one JSON value a line, either way, few and short ones. What a stranger
// sends is bounded in bytes and in time before a byte of it is believed.
import type { Socket } from 'node:net';

const MOST_BYTES = 16_384;

export interface Lines {
  send(value: unknown): void;
  /** The next value; rejects when the connection ends, says too much, or says nothing for so long. */
  next(patienceMs: number): Promise<Record<string, unknown>>;
  close(): void;
}

export function readLines(socket: Socket): Lines {
  let pending = '';
  let heard = 0;
  const values: Record<string, unknown>[] = [];
  let over: Error | null = null;
  let waiting: (() => void) | null = null;
  const wake = (): void => {
    waiting?.();
    waiting = null;
  };
  const end = (why: string): void => {
    over ??= new Error(why);
    socket.destroy();
    wake();
  };
  socket.setEncoding('latin1');
  socket.on('error', (error) => end(error.message));
  socket.on('close', () => end('the connection was closed'));
  socket.on('data', (chunk: string) => {
    heard += chunk.length;
    if (heard > MOST_BYTES) return end('too much was said');
    pending += chunk;
    const lines = pending.split('\n');
    pending = lines.pop()!;
    for (const line of lines) {
      try {
        const value: unknown = JSON.parse(line);
        if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('no object');
        values.push(value as Record<string, unknown>);
      } catch {
        return end('what was said is no line of a path test');
      }
    }
    wake();
  });
  return {
    send: (value) => {
      if (!socket.destroyed) socket.write(`${JSON.stringify(value)}\n`);
    },
    next: (patienceMs) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          over ??= new Error(`nothing was said for ${Math.round(patienceMs / 1000)} seconds`);
          wake();
        }, patienceMs);
        const look = (): void => {
          const value = values.shift();
          if (value === undefined && over === null) {
            waiting = look;
            return;
          }
          clearTimeout(timer);
          if (value === undefined) reject(over!);
          else resolve(value);
        };
        look();
      }),
    close: () => {
      socket.destroy();
    },
  };
}
