// Writes files of cases, or says (--check) whether they are what would be written.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '..', '..', 'own');

/** One case a line. */
const text = (cases) => `[\n${cases.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`;

/** `files`: a list of cases by the preset's name. */
export function writeAll(files) {
  const check = process.argv.includes('--check');
  mkdirSync(FOLDER, { recursive: true });
  for (const [name, cases] of Object.entries(files)) {
    const path = join(FOLDER, `${name}.json`);
    if (!check) writeFileSync(path, text(cases));
    else if (read(path) !== text(cases)) {
      console.error(`own/${name}.json is not what its script makes`);
      process.exitCode = 1;
    }
  }
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
