// Questions on the terminal. An answer that does not come, because the time is over or the terminal is gone,
// is an empty one. What is typed ahead is taken for the next question, but not for one with a time limit,
// whose answer must mean what it says.
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
  const typed: string[] = [];
  let isGone = false;
  let waiting: ((answer: string) => void) | null = null;
  terminal.on('line', (line) => {
    if (waiting === null) typed.push(line);
    else waiting(line);
  });
  terminal.once('close', () => {
    isGone = true;
    waiting?.('');
  });
  return {
    ask: (question, patienceMs) =>
      new Promise((resolve) => {
        if (patienceMs !== undefined) typed.length = 0;
        output.write(question);
        const ahead = typed.shift();
        if (ahead !== undefined || isGone) {
          output.write('\n');
          resolve(ahead ?? '');
          return;
        }
        let timer: NodeJS.Timeout | undefined;
        waiting = (answer) => {
          clearTimeout(timer);
          waiting = null;
          resolve(answer);
        };
        if (patienceMs !== undefined)
          timer = setTimeout(() => {
            output.write('\n');
            waiting?.('');
          }, patienceMs);
      }),
    close: () => terminal.close(),
  };
}
