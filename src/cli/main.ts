// The program: runs the command line and leaves its exit status.
import { runCommandLine } from './command-line.ts';

// Who reads may stop at any line, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});
process.exitCode = await runCommandLine(process.argv.slice(2));
