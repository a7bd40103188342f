// `npm run golden`: writes the goldens anew. Their diff is a change of behaviour: read it as one.
import { mkdirSync, writeFileSync } from 'node:fs';
import { renderReference } from '../../src/core/config/reference.ts';
import { renderTopicsMarkdown } from '../../src/core/advice/topics.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import { renderCommandReference } from '../../src/cli/reference.ts';
import { apiPages } from './api-reference.ts';
import { goldenCases } from './cases.ts';
import { goldenHelp } from './help.ts';
import { goldenTranscripts } from './transcripts.ts';

for (const { path, text } of goldenCases()) writeFileSync(path, text);
writeFileSync(new URL('../../docs/configuration.md', import.meta.url), renderReference());
writeFileSync(new URL('../../docs/advice.md', import.meta.url), renderTopicsMarkdown());
writeFileSync(new URL('../../docs/commands.md', import.meta.url), renderCommandReference(COMMANDS));
for (const { name, text } of await apiPages())
  writeFileSync(new URL(`../../docs/${name}`, import.meta.url), text);
mkdirSync(new URL('help/', import.meta.url), { recursive: true });
for (const { path, text } of goldenHelp()) writeFileSync(path, text);
for (const { path, text } of goldenTranscripts()) writeFileSync(path, text);
