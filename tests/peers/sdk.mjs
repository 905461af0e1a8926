// Providers' own SDKs as senders and as judges.
//
// Reads one question a line from standard input, writes one answer a line:
//   {"ask": "sign",   "provider", "secret", "now", "method", "url", "body_base64"}
//     -> {"headers": {…}}
//   {"ask": "verify", the same, "headers": {…}}
//     -> {"accepted": true | false, "why"?: …}
// `now` is in Unix seconds: the SDKs see it as the time of day. Bodies are text, as the
// SDKs want them.
import { createHmac, createPrivateKey, sign as signBytes } from "node:crypto";
import { createInterface } from "node:readline";
import bolt from "@slack/bolt";
import discord from "discord-interactions";
import "@shopify/shopify-api/adapters/web-api";
import { shopifyApi } from "@shopify/shopify-api";
import { sign as octokitSign, verify as octokitVerify } from "@octokit/webhooks-methods";
import square from "square";
import { Webhook as StandardWebhook } from "standardwebhooks";
import Stripe from "stripe";
import { Webhook as SvixWebhook } from "svix";
import twilio from "twilio";

const TrueDate = Date;
let clock = 0;
globalThis.Date = class extends TrueDate {
  constructor(...parts) {
    super(...(parts.length === 0 ? [clock] : parts));
  }
  static now() {
    return clock;
  }
};

const stripe = new Stripe("sk_test_none");
const hmac = (secret, message, encoding) => createHmac("sha256", secret).update(message).digest(encoding);
const form = (body) => {
  const fields = {};
  for (const [name, value] of new URLSearchParams(body)) {
    fields[name] = name in fields ? [fields[name], value].flat() : value;
  }
  return fields;
};

// `sign` is the SDK's own where it has one, node:crypto where it only judges.
const providers = {
  stripe: {
    sign: ({ secret, body, now }) => ({
      "stripe-signature": stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: now }),
    }),
    verify: ({ secret, body, headers }) =>
      Boolean(stripe.webhooks.constructEvent(body, headers["stripe-signature"], secret)),
  },
  github: {
    sign: async ({ secret, body }) => ({
      "x-hub-signature-256": await octokitSign(secret, body),
      "x-github-event": "issues",
      "x-github-delivery": "from-the-sdk",
    }),
    verify: ({ secret, body, headers }) => octokitVerify(secret, body, headers["x-hub-signature-256"]),
  },
  svix: standard(SvixWebhook, "svix"),
  "standard-webhooks": standard(StandardWebhook, "webhook"),
  slack: {
    sign: ({ secret, body, now }) => ({
      "x-slack-request-timestamp": String(now),
      "x-slack-signature": `v0=${hmac(secret, `v0:${now}:${body}`, "hex")}`,
    }),
    verify({ secret, body, headers }) {
      const named = { ...headers, "x-slack-request-timestamp": Number(headers["x-slack-request-timestamp"]) };
      bolt.verifySlackRequest({ signingSecret: secret, body, headers: named });
      return true;
    },
  },
  shopify: {
    sign: ({ secret, body }) => ({
      "x-shopify-hmac-sha256": hmac(secret, body, "base64"),
      "x-shopify-topic": "orders/create",
      "x-shopify-webhook-id": "from-the-test",
      "x-shopify-shop-domain": "example.myshopify.com",
      "x-shopify-api-version": "2026-10",
    }),
    async verify({ secret, body, headers, url }) {
      const shopify = shopifyApi({
        apiKey: "key",
        apiSecretKey: secret,
        apiVersion: "2026-10",
        hostName: "hooks.example.test",
        isEmbeddedApp: false,
        logger: { level: 0, log: () => {} },
      });
      const rawRequest = new Request(url, { method: "POST", headers });
      const judged = await shopify.webhooks.validate({ rawBody: body, rawRequest });
      if (!judged.valid) throw new Error(judged.reason);
      return true;
    },
  },
  twilio: {
    sign: ({ secret, body, url }) => ({
      "content-type": "application/x-www-form-urlencoded",
      "x-twilio-signature": twilio.getExpectedTwilioSignature(secret, url, form(body)),
    }),
    verify: ({ secret, body, headers, url }) =>
      twilio.validateRequest(secret, headers["x-twilio-signature"], url, form(body)),
  },
  square: {
    sign: ({ secret, body, url }) => ({ "x-square-hmacsha256-signature": hmac(secret, url + body, "base64") }),
    verify: ({ secret, body, headers, url }) =>
      square.WebhooksHelper.verifySignature({
        requestBody: body,
        signatureHeader: headers["x-square-hmacsha256-signature"],
        signatureKey: secret,
        notificationUrl: url,
      }),
  },
  discord: {
    // The key pair of RFC 8032 §7.1, test 1: what is configured is its public half.
    sign({ body, now }) {
      const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
      const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
      const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
      return {
        "x-signature-timestamp": String(now),
        "x-signature-ed25519": signBytes(null, Buffer.from(`${now}${body}`), key).toString("hex"),
      };
    },
    verify: ({ secret, body, headers }) =>
      discord.verifyKey(body, headers["x-signature-ed25519"], headers["x-signature-timestamp"], secret),
  },
};

function standard(Webhook, family) {
  return {
    sign: ({ secret, body, now }) => ({
      [`${family}-id`]: "msg_from_the_sdk",
      [`${family}-timestamp`]: String(now),
      [`${family}-signature`]: new Webhook(secret).sign("msg_from_the_sdk", new Date(now * 1000), body),
    }),
    // Not every body is JSON: the signature is what is asked about.
    verify({ secret, body, headers }) {
      new Webhook(secret).verify(body, headers, { jsonParse: false });
      return true;
    },
  };
}

async function answer({ ask, provider, body_base64, ...question }) {
  clock = question.now * 1000;
  question.body = Buffer.from(body_base64, "base64").toString();
  if (ask === "sign") return { headers: await providers[provider].sign(question) };
  try {
    return { accepted: Boolean(await providers[provider].verify(question)) };
  } catch (error) {
    return { accepted: false, why: `${error.name}: ${error.message}` };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}
