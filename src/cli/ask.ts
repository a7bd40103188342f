// Questions on the terminal. An answer that does not come, because the time is over or the terminal is gone,
// is an empty one.
import { createInterface } from 'node:readline';

export interface Asker {
  /** Resolves to what is typed, or to nothing after `patienceMs` or when the terminal is gone. */
  ask(question: string, patienceMs?: number): Promise<string>;
  close(): void;
}

export function openAsker(
  input: NodeJS.ReadableStream = process.stdin,
  output: NodeJS.WritableStream = process.stdout,
): Asker {
  const terminal = createInterface({ input, output });
  let isGone = false;
  terminal.once('close', () => {
    isGone = true;
  });
  return {
    ask: (question, patienceMs) =>
      new Promise((resolve) => {
        if (isGone) {
          resolve('');
          return;
        }
        let timer: NodeJS.Timeout | undefined;
        const end = (answer: string): void => {
          clearTimeout(timer);
          terminal.off('close', giveUp);
          resolve(answer);
        };
        const giveUp = (): void => {
          output.write('\n');
          end('');
        };
        terminal.once('close', giveUp);
        if (patienceMs !== undefined) timer = setTimeout(giveUp, patienceMs);
        terminal.question(question, end);
      }),
    close: () => terminal.close(),
  };
}
