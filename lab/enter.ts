// The lab's own namespaces: the process starts itself again inside `unshare`, as root of a user
// namespace when it is not root already, with a /run of its own. Everything the lab makes is in
// there, and the kernel takes it away with the last process, also after kill -9.
import { spawnSync } from 'node:child_process';

const INSIDE = 'THROUGHWAY_LAB_INSIDE';

/** Why this machine forbids it, as a sentence, or null when it can be done. */
export function namespacesForbidden(): string | null {
  const tried = spawnSync('unshare', [...unshareOptions(), 'true'], { encoding: 'utf8' });
  if (tried.status === 0) return null;
  const said = tried.error ? tried.error.message : tried.stderr.trim();
  return `This system does not let an ordinary user make namespaces (unshare said "${said}"). Run it as root, or allow them: sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 (where these exist).`;
}

/** What is handed in: an open descriptor, which becomes number 3, and variables. */
interface HandedIn {
  readonly fd: number;
  readonly environment: Readonly<Record<string, string>>;
}

export function isInside(): boolean {
  return process.env[INSIDE] === '1';
}

/**
 * Returns at once when inside; else runs `script` with the same arguments inside, and ends as it ends.
 * `options` are more of unshare's, such as `--pid --mount-proc`.
 */
export function insideOwnNamespaces(
  script: string,
  options: readonly string[] = [],
  handed: HandedIn | null = null,
): void {
  if (isInside()) return;
  const forbidden = namespacesForbidden();
  if (forbidden !== null) {
    process.stderr.write(`${forbidden}\n`);
    process.exit(77);
  }
  const command = unshareCommand([process.execPath, script, ...process.argv.slice(2)], options);
  // All of it ends when this process is killed.
  const result = spawnSync('setpriv', ['--pdeathsig', 'KILL', ...command], {
    stdio: ['inherit', 'inherit', 'inherit', ...(handed ? [handed.fd] : [])],
    env: { ...process.env, ...handed?.environment, [INSIDE]: '1' },
  });
  process.exit(result.status ?? 1);
}

/** The command that runs `command` inside namespaces of its own, with a /run of its own. */
export function unshareCommand(command: readonly string[], options: readonly string[] = []): string[] {
  return [
    'unshare',
    ...unshareOptions(),
    ...options,
    'sh',
    '-c',
    'mount -t tmpfs tmpfs /run && exec "$@"',
    'sh',
    ...command,
  ];
}

function unshareOptions(): string[] {
  // With --kill-child the whole tree ends when this process is killed.
  return [
    '--net',
    '--mount',
    '--kill-child',
    '--fork',
    ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']),
  ];
}
