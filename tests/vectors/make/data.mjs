// Cases for the presets that are data, signed with node:crypto from what the providers
// say, not from our presets:
//
//   node tests/vectors/make/data.mjs            writes tests/vectors/own/*.json
//   node tests/vectors/make/data.mjs --check    says whether they are up to date

import { bodyOnly } from './data/body_only.mjs';
import { elsewhere } from './data/elsewhere.mjs';
import { published } from './data/published.mjs';
import { standard } from './data/standard.mjs';
import { timed } from './data/timed.mjs';
import { everyMutation } from './lib/mutations.mjs';
import { Cases } from './lib/request.mjs';
import { writeAll } from './lib/write.mjs';

const files = {};
for (const provider of [...bodyOnly, ...elsewhere, ...published, ...standard, ...timed]) {
  const cases = new Cases(provider);
  everyMutation(cases);
  provider.more?.(cases);
  files[provider.name] = cases.list;
}
writeAll(files);
