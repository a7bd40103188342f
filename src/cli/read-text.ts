// A file that a person has named, or what is piped in, as text. What cannot be read is said in a sentence.
import { readFileSync } from 'node:fs';
import { ClientError } from './client.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'it may not be read by this user',
};

/** `-` is what is piped in. Throws ClientError. */
export function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new ClientError(
      `"${file}" cannot be read: ${REASONS[code] ?? message}. Name a file that exists and may be read.`,
      code === 'EACCES' ? 4 : 1,
    );
  }
}
