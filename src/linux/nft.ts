// nft behind one interface: libnftables in this process, or a persistent `nft -i` child where the
// library cannot be loaded. Either takes nft's own syntax and runs it as one transaction. Knows
// nothing of what the commands mean.
import koffi from 'koffi';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LinuxError } from './libc.ts';

export interface Nft {
  readonly way: 'libnftables' | 'nft';
  /** Runs commands as one transaction and resolves to what nft prints; throws LinuxError, and then nothing is changed. */
  run(commands: string, format?: 'text' | 'terse' | 'json'): Promise<string>;
  close(): void;
}

// linux: nftables/libnftables.h
const OUTPUT_STATELESS = 1 << 2;
const OUTPUT_JSON = 1 << 4;
const OUTPUT_TERSE = 1 << 11;
const formatFlags = { text: 0, terse: OUTPUT_STATELESS | OUTPUT_TERSE, json: OUTPUT_JSON | OUTPUT_TERSE };

/** Opens nft in the network namespace of the calling thread; throws LinuxError when neither way exists. */
export function openNft(prefer: 'libnftables' | 'nft' = 'libnftables'): Nft {
  if (prefer === 'libnftables') {
    try {
      return openLibrary();
    } catch {
      // Not installed, or of another ABI: the program may be there all the same.
    }
  }
  return openChild();
}

function openLibrary(): Nft {
  const library = koffi.load('libnftables.so.1');
  const call = {
    contextNew: library.func('void *nft_ctx_new(uint32_t flags)'),
    contextFree: library.func('void nft_ctx_free(void *context)'),
    bufferOutput: library.func('int nft_ctx_buffer_output(void *context)'),
    bufferError: library.func('int nft_ctx_buffer_error(void *context)'),
    setFlags: library.func('void nft_ctx_output_set_flags(void *context, unsigned int flags)'),
    run: library.func('int nft_run_cmd_from_buffer(void *context, const char *commands)'),
    output: library.func('const char *nft_ctx_get_output_buffer(void *context)'),
    error: library.func('const char *nft_ctx_get_error_buffer(void *context)'),
  };
  const context: unknown = call.contextNew(0);
  call.bufferOutput(context);
  call.bufferError(context);
  return {
    way: 'libnftables',
    run(commands, format = 'text') {
      call.setFlags(context, formatFlags[format]);
      const status: number = call.run(context, commands);
      const output: string = call.output(context) ?? '';
      const error: string = call.error(context) ?? '';
      return status === 0 ? Promise.resolve(output) : Promise.reject(refused(error, commands));
    },
    close: () => {
      call.contextFree(context);
    },
  };
}

/** The child prints this after each run: the only command whose output never depends on the ruleset. */
const MARKER_COMMAND = 'describe meta mark';
const MARKER = /^meta expression, datatype mark .*\n/m;

function openChild(): Nft {
  // The files that the child includes: a transaction of several lines is one `include` for it.
  const folder = mkdtempSync(join(tmpdir(), 'throughway-nft-'));
  const children = new Map<string, ChildProcessWithoutNullStreams>();
  let queue: Promise<unknown> = Promise.resolve();
  let serial = 0;

  const child = (format: 'text' | 'terse' | 'json'): ChildProcessWithoutNullStreams => {
    const running = children.get(format);
    if (running && running.exitCode === null && running.signalCode === null) return running;
    const options = { text: [], terse: ['--stateless', '--terse'], json: ['--json', '--terse'] }[format];
    const started = spawn('nft', [...options, '--interactive'], { stdio: 'pipe' });
    children.set(format, started);
    return started;
  };

  const runNext = async (commands: string, format: 'text' | 'terse' | 'json'): Promise<string> => {
    const nft = child(format);
    const file = join(folder, `${(serial += 1)}.nft`);
    writeFileSync(file, commands);
    let output = '';
    let error = '';
    try {
      await new Promise<void>((resolve, reject) => {
        const onOutput = (chunk: Buffer): void => {
          output += chunk.toString();
          // What went to stderr before the marker is readable by now: one turn of the loop delivers it.
          if (MARKER.test(output)) setImmediate(() => setImmediate(resolve));
        };
        const onError = (chunk: Buffer): void => {
          error += chunk.toString();
        };
        const onEnd = (cause?: Error): void => {
          reject(
            new LinuxError('nft', 'ENOENT', 'nft --interactive', cause?.message ?? `it ended: ${error}`),
          );
        };
        nft.stdout.on('data', onOutput);
        nft.stderr.on('data', onError);
        nft.once('error', onEnd);
        nft.once('exit', () => onEnd());
        nft.stdin.write(`include "${file}"\n${MARKER_COMMAND}\n`);
      });
    } finally {
      for (const emitter of [nft.stdout, nft.stderr]) emitter.removeAllListeners('data');
      nft.removeAllListeners('error').removeAllListeners('exit');
      rmSync(file, { force: true });
    }
    if (error.includes('Error:')) throw refused(error, commands);
    return output.replace(MARKER, '');
  };

  return {
    way: 'nft',
    run(commands, format = 'text') {
      const result = queue.then(() => runNext(commands, format));
      queue = result.catch(() => undefined);
      return result;
    },
    close: () => {
      for (const one of children.values()) one.stdin.end('quit\n');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function refused(error: string, commands: string): LinuxError {
  const reasons: [RegExp, string][] = [
    [/Operation not permitted/, 'EPERM'],
    [/Operation not supported/, 'EOPNOTSUPP'],
    [/No such file or directory/, 'ENOENT'],
    [/File exists/, 'EEXIST'],
    [/Numerical result out of range|Too many open files in system/, 'ENFILE'],
  ];
  const errno = reasons.find(([pattern]) => pattern.test(error))?.[1] ?? 'EINVAL';
  return new LinuxError(
    'nft',
    errno,
    commands.length > 400 ? `${commands.slice(0, 400)}…` : commands,
    error.trim(),
  );
}
