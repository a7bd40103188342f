// `npm run golden`: writes the goldens anew. Their diff is a change of behaviour: read it as one.
import { writeFileSync } from 'node:fs';
import { goldenCases } from './cases.ts';

for (const { path, text } of goldenCases()) writeFileSync(path, text);
