// Verifies one delivery with the npm package `standardwebhooks`.
// Reads {"secret", "headers", "body_base64"} from standard input. Exits 0 if it verifies;
// otherwise the name of the package's error is on standard error. The package reads a
// body as text, so binary ones are not for it.
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const { secret, headers, body_base64 } = JSON.parse(readFileSync(0, "utf8"));
try {
  new Webhook(secret).verify(Buffer.from(body_base64, "base64").toString(), headers, { jsonParse: false });
} catch (error) {
  console.error(`${error.name}: ${error.message}`);
  process.exitCode = 1;
}
