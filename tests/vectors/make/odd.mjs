// Cases for the providers whose schemes take odd words: forms, batches, URLs, tokens.
//
//   node tests/vectors/make/odd.mjs [--check]

import { forms } from './odd/forms.mjs';
import { signed } from './odd/signed.mjs';
import { tokens } from './odd/tokens.mjs';
import { urls } from './odd/urls.mjs';
import { write } from './odd/lib.mjs';

write([...forms, ...signed, ...tokens, ...urls]);
