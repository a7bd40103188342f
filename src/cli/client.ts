// The daemon's API over its unix socket. What goes wrong becomes a sentence and an exit status.
import { request } from 'node:http';
import { quote, renderProblem, type Problem } from '../core/config/problem.ts';

/** The exit status that goes with a sentence for the user. */
export class ClientError extends Error {
  readonly exitStatus: number;

  constructor(message: string, exitStatus: number) {
    super(message);
    this.exitStatus = exitStatus;
  }
}

const PATIENCE_MS = 30_000;

/** Resolves to the answer's text; throws ClientError. */
export function callDaemon(socket: string, method: string, path: string, body?: unknown): Promise<string> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers =
      text === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const call = request({ socketPath: socket, method, path, headers, timeout: PATIENCE_MS }, (response) => {
      let answer = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        answer += chunk;
      });
      response.on('error', (error) => reject(explainError(error, socket)));
      response.on('end', () => {
        if ((response.statusCode ?? 500) < 400) resolve(answer);
        else reject(new ClientError(explainAnswer(answer), 1));
      });
    });
    call.on('timeout', () => call.destroy(new Error(`no answer within ${PATIENCE_MS / 1000} seconds`)));
    call.on('error', (error: NodeJS.ErrnoException) => reject(explainError(error, socket)));
    call.end(text);
  });
}

/**
 * Resolves when the answer, a line of JSON for each value, has ended; `onValue` gets each as it comes.
 * Throws ClientError.
 */
export function followDaemon(
  socket: string,
  method: string,
  path: string,
  body: unknown,
  onValue: (value: unknown) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const headers = {
      accept: 'application/x-ndjson',
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    };
    const call = request({ socketPath: socket, method, path, headers, timeout: PATIENCE_MS }, (response) => {
      const failed = (response.statusCode ?? 500) >= 400;
      let rest = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        const lines = `${rest}${chunk}`.split('\n');
        rest = failed ? lines.join('\n') : lines.pop()!;
        try {
          if (!failed) for (const line of lines) onValue(readAnswer(line));
        } catch (error) {
          call.destroy();
          reject(error);
        }
      });
      response.on('error', (error) => reject(explainError(error, socket)));
      response.on('end', () => (failed ? reject(new ClientError(explainAnswer(rest), 1)) : resolve()));
    });
    call.on('timeout', () => call.destroy(new Error(`no answer within ${PATIENCE_MS / 1000} seconds`)));
    call.on('error', (error: NodeJS.ErrnoException) => reject(explainError(error, socket)));
    call.end(text);
  });
}

function explainError(error: NodeJS.ErrnoException, socket: string): ClientError {
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    return new ClientError(
      `The daemon's socket "${socket}" may not be opened. Run this as root, for example with sudo.`,
      4,
    );
  }
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
    return new ClientError(
      `No daemon answers at "${socket}". Start it with "throughway run", or name its socket with --socket PATH.`,
      3,
    );
  }
  return new ClientError(`The daemon at "${socket}" cannot be asked: ${error.message}.`, 3);
}

/** What an answer of the daemon says; throws ClientError. */
export function readAnswer(answer: string): unknown {
  try {
    return JSON.parse(answer);
  } catch {
    throw new ClientError(strange(answer), 1);
  }
}

function explainAnswer(answer: string): string {
  try {
    const { detail, problems } = JSON.parse(answer) as { detail?: string; problems?: Problem[] };
    if (detail === undefined) return strange(answer);
    return [detail, ...(problems ?? []).map((problem) => `  ${renderProblem(problem)}`)].join('\n');
  } catch {
    return strange(answer);
  }
}

function strange(answer: string): string {
  return `What answers at the socket is no Throughway of this version; it said ${quote(answer)}. Start the daemon anew, or name its socket with --socket PATH.`;
}
