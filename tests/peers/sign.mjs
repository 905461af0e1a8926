// Signs a body with a provider's own SDK.
// Reads {"provider", "secret", "body"} from standard input; prints the headers as JSON.
import { readFileSync } from "node:fs";

const { provider, secret, body } = JSON.parse(readFileSync(0, "utf8"));
if (provider === "stripe") {
  const { default: Stripe } = await import("stripe");
  const header = new Stripe("sk_test_none").webhooks.generateTestHeaderString({ payload: body, secret });
  console.log(JSON.stringify({ "stripe-signature": header }));
} else if (provider === "github") {
  const { sign } = await import("@octokit/webhooks-methods");
  const signature = await sign(secret, body);
  console.log(JSON.stringify({ "x-hub-signature-256": signature, "x-github-event": "issues", "x-github-delivery": "from-the-sdk" }));
} else {
  throw new Error(`no SDK for ${provider}`);
}
