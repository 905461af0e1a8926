// Makes the recorded requests of the schemes that are written in code, for providers
// without recorded ones and for what those do not cover. A signer of its own: node:crypto
// and the provider's documentation, nothing of the gateway.
//
//   node tests/vectors/make/code.mjs [--check]
//
// Keys, times and nonces are fixed, so that the same bytes come out.

import crypto from "node:crypto";
import { certificate, rsaKey, shortRsaKey } from "./keys.mjs";
import { ecdsa, p256 } from "./lib/secrets.mjs";
import { writeAll } from "./lib/write.mjs";

const NOW = 1700000000;
const sha = (kind, data) => crypto.createHash(kind).update(data).digest();
const hmac = (kind, key, data) => crypto.createHmac(kind, key).update(data).digest();
const b64 = (data) => Buffer.from(data).toString("base64");
const b64url = (data) => Buffer.from(data).toString("base64url");

const files = {};

/** A case of `provider`; a body that is not a string or Buffer is written as JSON. */
function add(provider, expect, description, reason, request) {
  const { body = "", headers = {}, method = "POST", url = `https://hooks.example.test/in/${provider}`, ...rest } = request;
  const bytes = typeof body === "string" || Buffer.isBuffer(body) ? Buffer.from(body) : Buffer.from(JSON.stringify(body));
  (files[provider] ??= []).push({
    provider, description, reason, source: "own:make/code.mjs", method, url, headers,
    body_base64: b64(bytes), now: NOW, expect, ...rest,
  });
}

const form = (pairs) => new URLSearchParams(pairs).toString();
const FORM = { "content-type": "application/x-www-form-urlencoded" };
const JSONS = { "content-type": "application/json" };

// --- Twilio -------------------------------------------------------------------------
{
  const key = "FAKEtestonlytwilioauthtoken00000";
  const message = (url, pairs) =>
    url + [...pairs].sort(([a, x], [b, y]) => (a + "\0" + x < b + "\0" + y ? -1 : 1)).map(([n, v]) => n + v).join("");
  const sign = (kind, url, pairs, secret = key) => b64(hmac(kind, secret, message(url, pairs)));
  const sms = [["MessageSid", "SM1"], ["MessageStatus", "delivered"], ["SmsStatus", "sent"]];
  const inbound = [["MessageSid", "SM2"], ["SmsStatus", "received"], ["Body", "a+b & é"]];
  const call = [["CallSid", "CA1"], ["CallStatus", "in-progress"]];
  const numbered = [...call, ["SequenceNumber", "3"]];
  for (const provider of ["twilio", "twilio-sharedkey"]) {
    const url = `https://hooks.example.test/in/${provider}`;
    const request = (pairs, signature, more = {}, rest = {}) => ({
      secret: key, url, body: form(pairs), headers: { ...FORM, "x-twilio-signature": signature, ...more }, ...rest,
    });
    const sha256 = { "x-twilio-webhooks-signature-settings": "algorithm=HMAC_SHA256" };
    const is1 = provider === "twilio";
    const plain = (pairs, rest) => request(pairs, sign("sha1", url, pairs), {}, rest);
    add(provider, "accept", "a message's status", "id and status name it", plain(sms, { id: "SM1.delivered", type: "delivered" }));
    add(provider, "accept", "a message that came in", "SmsStatus stands in", plain(inbound, { id: "SM2.received", type: "received" }));
    add(provider, "accept", "a numbered callback of a call", "the number names the step", plain(numbered, { id: "CA1.in-progress.3", type: "in-progress" }));
    add(provider, "accept", "a step of a call", "the token of the header names it", {
      ...request(call, sign("sha1", url, call), { "i-twilio-idempotency-token": "tok-1" }), id: "tok-1", type: "in-progress" });
    add(provider, is1 ? "reject" : "accept", "SHA-256, said by the header", is1 ? "nobody signs that header" : "a SharedKey's request says how it is signed",
      { ...request(sms, sign("sha256", url, sms), sha256), id: "SM1.delivered" });
    add(provider, "accept", "SHA-256, pinned", "the pin settles it", { ...request(sms, sign("sha256", url, sms), sha256), config: { pin_algorithm: "HMAC_SHA256" } });
    add(provider, "reject", "SHA-1 where SHA-256 is pinned", "the pin settles it", { ...request(sms, sign("sha1", url, sms)), config: { pin_algorithm: "HMAC_SHA256" } });
    add(provider, "reject", "SHA-256 where SHA-1 is pinned", "the pin settles it", { ...request(sms, sign("sha256", url, sms), sha256), config: { pin_algorithm: "HMAC_SHA1" } });
    add(provider, "reject", "SHA-256 that the header does not say", "SHA-1 is due", request(sms, sign("sha256", url, sms)));
    add(provider, is1 ? "reject" : "reject", "an algorithm that is not known", "nothing else is taken", request(sms, sign("sha1", url, sms), { "x-twilio-webhooks-signature-settings": "algorithm=none" }));
    add(provider, "reject", "another key", "wrong key", request(sms, sign("sha1", url, sms, "other")));
    add(provider, "accept", "the older of two keys", "rotation", { ...request(sms, sign("sha1", url, sms)), secret: undefined, secrets: ["new", key] });
    add(provider, "reject", "the signature in hexadecimal", "base64 is due", request(sms, hmac("sha1", key, message(url, sms)).toString("hex")));
    add(provider, "reject", "the signature twice", "nobody knows which counts", request(sms, [sign("sha1", url, sms), sign("sha1", url, sms)]));
    const body = '{"a":1}';
    const hashed = `${url}?bodySHA256=${sha("sha256", body).toString("hex")}`;
    add(provider, "accept", "JSON with its hash in the URL", "the URL is signed", { secret: key, url: hashed, body, headers: { ...JSONS, "x-twilio-signature": sign("sha1", hashed, []) } });
    add(provider, "accept", "the registered URL has no query", "Twilio adds to it", {
      secret: key, url: hashed, config: { public_url: url }, body, headers: { ...JSONS, "x-twilio-signature": sign("sha1", hashed, []) } });
    add(provider, "reject", "JSON without its hash in the URL", "the body is not signed", { secret: key, url, body, headers: { ...JSONS, "x-twilio-signature": sign("sha1", url, []) } });
    add(provider, "reject", "a form under another content type", "the body is not signed", { secret: key, url, body: form(sms), headers: { "content-type": "text/plain", "x-twilio-signature": sign("sha1", url, []) } });
  }
}

// --- Adyen --------------------------------------------------------------------------
{
  const secret = "0F174F05D23631E8F20FE55094B7930F76DDC228CB302DCCA959464674EA8B8C";
  const item = (reference, more = {}, key = secret) => {
    const it = { pspReference: reference, originalReference: "", merchantAccountCode: "M", merchantReference: "R",
      amount: { value: 100, currency: "EUR" }, eventCode: "AUTHORISATION", success: "true", ...more };
    const text = [it.pspReference, it.originalReference, it.merchantAccountCode, it.merchantReference,
      it.amount.value, it.amount.currency, it.eventCode, it.success].join(":");
    return { NotificationRequestItem: { ...it, additionalData: { hmacSignature: b64(hmac("sha256", Buffer.from(key, "hex"), text)) } } };
  };
  const request = (items, rest = {}) => ({ secret, headers: JSONS, body: { live: "false", notificationItems: items }, ...rest });
  add("adyen", "accept", "one item", "reference, event and success name it", request([item("A1")], { id: "A1.AUTHORISATION.true", type: "AUTHORISATION" }));
  add("adyen", "accept", "two items", "every item is in the name", request([item("A1"), item("A2", { eventCode: "REFUND", success: "false" })],
    { id: "A1.AUTHORISATION.true.A2.REFUND.false", type: "AUTHORISATION" }));
  add("adyen", "accept", "the older of two keys", "rotation", request([item("A1")], { secret: undefined, secrets: ["AA", secret] }));
  add("adyen", "accept", "success as a boolean", "written as text", request([item("A1", { success: true })], { id: "A1.AUTHORISATION.true" }));
  add("adyen", "reject", "an amount that has no one way to be written", "neither text nor a whole number", request([item("A1", { amount: { value: 1.5, currency: "EUR" } })]));
  add("adyen", "reject", "the second item of another key", "every item must be signed", request([item("A1"), item("A2", {}, "BB")]));
  add("adyen", "reject", "an item that is none", "nothing signed", request([{}]));
}

// --- Braintree ----------------------------------------------------------------------
{
  const secret = "FAKE-private-key";
  const config = { public_key: "FAKE-public-key" };
  const key = sha("sha1", secret);
  const xml = "<notification><timestamp type=\"datetime\">2023-11-14T22:13:20Z</timestamp><kind>subscription_went_past_due</kind></notification>";
  const payload = `${b64(xml)}\n`;
  const signed = (text, own = key) => hmac("sha1", own, text).toString("hex");
  const request = (signature, sent = payload, rest = {}) => ({
    secret, config, headers: FORM, body: form([["bt_signature", signature], ["bt_payload", sent]]), ...rest });
  const good = `FAKE-public-key|${signed(payload)}`;
  add("braintree", "accept", "valid", "HMAC-SHA1 under the SHA-1 of the private key", request(good, payload, { type: "subscription_went_past_due" }));
  add("braintree", "accept", "pairs of other keys beside ours", "ours counts", request(`other|${signed("x")}&${good}`));
  add("braintree", "accept", "the line break was signed and not sent", "both forms are tried", request(good, payload.trimEnd(), { type: "subscription_went_past_due" }));
  add("braintree", "accept", "hexadecimal in capitals", "decoded before it is compared", request(good.replace(/[0-9a-f]{40}$/, (hex) => hex.toUpperCase())));
  add("braintree", "accept", "the older of two keys", "rotation", request(good, payload, { secret: undefined, secrets: ["new", secret] }));
  add("braintree", "reject", "tampered payload", "signature mismatch", request(good, b64(xml.replace("past_due", "active"))));
  add("braintree", "reject", "another public key", "no pair of ours", request(good.replace("FAKE-public-key", "other")));
  add("braintree", "reject", "our public key is a part of another", "no pair of ours", request(`FAKE-public-key-2|${signed(payload)}`));
  add("braintree", "reject", "the private key itself as the key", "its SHA-1 is due", request(`FAKE-public-key|${signed(payload, secret)}`));
  const challenge = "20f9f8ed05f77439fe9d3c1a5b7c8d90";
  add("braintree", "reject", "the answer to a challenge", "anybody gets one signed", request(`FAKE-public-key|${signed(challenge)}`, challenge));
  add("braintree", "reject", "SHA-256", "SHA-1 is due", request(`FAKE-public-key|${hmac("sha256", key, payload).toString("hex")}`));
  add("braintree", "reject", "no signature", "missing field", { secret, config, headers: FORM, body: form([["bt_payload", payload]]) });
  add("braintree", "reject", "no payload", "missing field", { secret, config, headers: FORM, body: form([["bt_signature", good]]) });
  add("braintree", "reject", "the payload twice", "nobody knows which counts", {
    secret, config, headers: FORM, body: form([["bt_signature", good], ["bt_payload", "x"], ["bt_payload", payload]]) });
}

// --- Contentful ---------------------------------------------------------------------
{
  const secret = "FAKE0123456789abcdefFAKE0123456789abcdefFAKE0123456789abcdefFAKE";
  const path = "/in/contentful";
  const body = '{"sys":{"type":"Entry","id":"e1"}}';
  const request = ({ time = NOW * 1000, headers = {}, list, method = "POST", target = path, key = secret, sent = {}, now, query = "", ...rest } = {}) => {
    const all = { "x-contentful-topic": "ContentManagement.Entry.publish", "x-contentful-idempotency-key": "idem-1", ...headers, "x-contentful-timestamp": String(time) };
    const names = list ?? [...Object.keys(all), "x-contentful-signed-headers"].sort();
    all["x-contentful-signed-headers"] = names.join(",");
    const lines = [...names].sort().map((name) => `${name}:${all[name] ?? ""}`).join(";");
    const signature = hmac("sha256", key, [method, target, lines, body].join("\n")).toString("hex");
    return { secret, method, url: `https://hooks.example.test${path}${query}`, body, headers: { ...all, "x-contentful-signature": signature, ...sent }, ...rest };
  };
  const names = { id: "idem-1", type: "ContentManagement.Entry.publish" };
  add("contentful", "accept", "valid", "canonical request with the listed headers", request(names));
  add("contentful", "accept", "another method", "the method is signed", request({ method: "PUT", ...names }));
  add("contentful", "accept", "a query", "escaped as the provider's library does", request({ query: "?a=b&c=d", target: "/in/contentful?a%253Db%2526c%253Dd", ...names }));
  add("contentful", "accept", "a query as it came", "not every sender escapes twice", request({ query: "?a=b", target: "/in/contentful?a=b" }));
  add("contentful", "accept", "a header beside those that are signed", "only listed ones count", request({ sent: { "x-other": "1" }, ...names }));
  add("contentful", "accept", "30 s old", "inside the tolerance", request({ time: NOW * 1000 - 30000 }));
  add("contentful", "accept", "30 s ahead", "inside the tolerance", request({ time: NOW * 1000 + 30000 }));
  add("contentful", "reject", "30.001 s old", "too old", request({ time: NOW * 1000 - 30001 }));
  add("contentful", "reject", "30.001 s ahead", "too far ahead", request({ time: NOW * 1000 + 30001 }));
  add("contentful", "accept", "signature in capitals", "hexadecimal is decoded", (() => { const r = request(names); r.headers["x-contentful-signature"] = r.headers["x-contentful-signature"].toUpperCase(); return r; })());
  add("contentful", "accept", "the older of two keys", "rotation", request({ secret: undefined, secrets: ["new", secret] }));
  add("contentful", "reject", "the topic was changed", "listed headers are signed", request({ sent: { "x-contentful-topic": "ContentManagement.Entry.delete" } }));
  add("contentful", "reject", "the time is not among the signed headers", "an unsigned time proves nothing", request({ list: ["x-contentful-signed-headers", "x-contentful-topic"] }));
  add("contentful", "reject", "a listed header is missing", "it was signed", request({ list: ["x-contentful-signed-headers", "x-contentful-timestamp", "x-gone"] }));
  add("contentful", "reject", "another path", "the path is signed", request({ target: "/in/other" }));
  add("contentful", "reject", "another key", "wrong key", request({ key: "other" }));
  add("contentful", "reject", "no signature", "missing header", request({ sent: { "x-contentful-signature": [] } }));
  add("contentful", "reject", "a time that is no number", "malformed", request({ time: "1700000000000abc" }));
  add("contentful", "reject", "tampered body", "the body is signed", { ...request(), body: body.replace("e1", "e2") });
}

// --- Tokens -------------------------------------------------------------------------
const token = (header, claims, sign) => {
  const signed = `${b64url(JSON.stringify(header))}.${b64url(JSON.stringify(claims))}`;
  return `${signed}.${b64url(sign(signed))}`;
};
const hs = (bits, claims, key, header = {}) =>
  token({ alg: `HS${bits}`, typ: "JWT", ...header }, claims, (text) => hmac(`sha${bits}`, key, text));
const hexhash = (data) => sha("sha256", data).toString("hex");

// --- Netlify ------------------------------------------------------------------------
{
  const secret = "FAKE-netlify-secret";
  const body = '{"id":"dep1","state":"ready","name":"site"}';
  const claims = { iss: "netlify", sha256: hexhash(body) };
  const request = (jws, rest = {}) => ({ secret, body, headers: { ...JSONS, "x-netlify-event": "deploy_created", "x-webhook-signature": jws }, ...rest });
  add("netlify", "accept", "valid", "HS256 over a claim with the body's hash", request(hs(256, claims, secret), { id: "dep1.ready", type: "deploy_created" }));
  add("netlify", "accept", "the older of two keys", "rotation", request(hs(256, claims, secret), { secret: undefined, secrets: ["new", secret] }));
  add("netlify", "accept", "the hash in capitals", "hexadecimal is decoded", request(hs(256, { ...claims, sha256: claims.sha256.toUpperCase() }, secret)));
  add("netlify", "reject", "tampered body", "the hash differs", request(hs(256, claims, secret), { body: body.replace("ready", "error") }));
  add("netlify", "reject", "another issuer", "iss is netlify", request(hs(256, { ...claims, iss: "other" }, secret)));
  add("netlify", "reject", "no issuer", "a claim is missing", request(hs(256, { sha256: claims.sha256 }, secret)));
  add("netlify", "reject", "no hash", "a claim is missing", request(hs(256, { iss: "netlify" }, secret)));
  add("netlify", "reject", "another key", "wrong key", request(hs(256, claims, "other")));
  add("netlify", "reject", "HS512 under the right key", "HS256 is due", request(hs(512, claims, secret)));
  add("netlify", "reject", "alg none", "HS256 is due", request(token({ alg: "none" }, claims, () => "")));
  add("netlify", "reject", "four parts", "no token", request(`${hs(256, claims, secret)}.x`));
  add("netlify", "reject", "padding", "base64url without padding is due", request(`${hs(256, claims, secret)}=`));
  add("netlify", "reject", "missing header", "missing header", { secret, body, headers: JSONS });
}

// --- MessageBird --------------------------------------------------------------------
{
  const secret = "FAKE-messagebird-signing-key";
  const url = "https://hooks.example.test/in/messagebird?a=1&b=2";
  const body = '{"id":"m1"}';
  const claims = { iss: "MessageBird", nbf: NOW, exp: NOW + 60, jti: "jti-1", url_hash: hexhash(url), payload_hash: hexhash(body) };
  const without = (...names) => Object.fromEntries(Object.entries(claims).filter(([name]) => !names.includes(name)));
  const request = (jws, rest = {}) => ({ secret, url, body, headers: { ...JSONS, "messagebird-signature-jwt": jws }, ...rest });
  for (const bits of [256, 384, 512])
    add("messagebird", "accept", `valid, HS${bits}`, "hashes of URL and body", request(hs(bits, claims, secret), { id: "jti-1" }));
  add("messagebird", "accept", "a GET without a body", "there is no hash of nothing", request(hs(256, without("payload_hash"), secret), { method: "GET", body: "", id: "jti-1" }));
  add("messagebird", "accept", "the registered URL has no query", "the query that was called is signed", request(hs(256, claims, secret), { config: { public_url: url.split("?")[0] } }));
  add("messagebird", "accept", "the older of two keys", "rotation", request(hs(256, claims, secret), { secret: undefined, secrets: ["new", secret] }));
  add("messagebird", "accept", "5 s before nbf", "clocks differ", request(hs(256, { ...claims, nbf: NOW + 5 }, secret)));
  add("messagebird", "reject", "6 s before nbf", "not good yet", request(hs(256, { ...claims, nbf: NOW + 6 }, secret)));
  add("messagebird", "accept", "4 s after exp", "clocks differ", request(hs(256, { ...claims, exp: NOW - 4 }, secret)));
  add("messagebird", "reject", "5 s after exp", "expired", request(hs(256, { ...claims, exp: NOW - 5 }, secret)));
  add("messagebird", "reject", "tampered body", "the hash differs", request(hs(256, claims, secret), { body: '{"id":"m2"}' }));
  add("messagebird", "reject", "a body without its hash", "the body is not signed", request(hs(256, without("payload_hash"), secret)));
  add("messagebird", "reject", "another URL", "the hash differs", request(hs(256, { ...claims, url_hash: hexhash(`${url}&c=3`) }, secret)));
  add("messagebird", "reject", "another issuer", "iss differs", request(hs(256, { ...claims, iss: "other" }, secret)));
  add("messagebird", "reject", "another key", "wrong key", request(hs(256, claims, "other")));
  add("messagebird", "reject", "alg none", "an HMAC is due", request(token({ alg: "none" }, claims, () => "")));
  add("messagebird", "reject", "alg HS256 made with SHA-512", "the algorithm is that of the header", request(token({ alg: "HS256" }, claims, (text) => hmac("sha512", secret, text))));
  for (const name of ["iss", "nbf", "exp", "jti", "url_hash"])
    add("messagebird", "reject", `no ${name}`, "a claim is missing", request(hs(256, without(name), secret)));
  add("messagebird", "reject", "missing header", "missing header", { secret, url, body, headers: JSONS });
  // From the provider's own library, with the time of its examples.
  const published = "36efdd1aace2e26cd490f0d951138253bef2f7c6d34d18981da781555cc4cebb";
  const at = { secret: published, now: 1625479200, source: "sdk:npm:messagebird (webhook-signature-jwt-reference.json)" };
  const jwt = (text) => ({ "messagebird-signature-jwt": text });
  add("messagebird", "accept", "published example, GET without a query", "published signature", { ...at, method: "GET", url: "https://example.com/",
    headers: jwt("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJNZXNzYWdlQmlyZCIsIm5iZiI6MTYyNTQ3OTIwMCwiZXhwIjoxNjI1NDc5MjYwLCJqdGkiOiI1OWEyNDRkYy1lOWFkLTRlMjMtOTc3OC0zNzFmYWEyMzhmNzIiLCJ1cmxfaGFzaCI6IjBmMTE1ZGIwNjJiN2MwZGQwMzBiMTY4NzhjOTlkZWE1YzM1NGI0OWRjMzdiMzhlYjg4NDYxNzljNzc4M2U5ZDcifQ.6Fp0rVOsRr1fj9S2GidXAfkmPVofKr8_RTffC6G6r2E"),
    id: "59a244dc-e9ad-4e23-9778-371faa238f72" });
  const withPayload = jwt("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJNZXNzYWdlQmlyZCIsIm5iZiI6MTYyNTQ3OTIwMCwiZXhwIjoxNjI1NDc5MjYwLCJqdGkiOiI5M2U1NTAwNi1hMGU4LTQ1MjYtYTE5MC1mYTVmZjAwZWExMTYiLCJ1cmxfaGFzaCI6IjQxZjA1ZjBkZGQwYTIyYWIyMDlhYzQ2ZjQ3YzQ1NzJkOWNlZmEyNTdlZDc0YjI0MDA0YmFlNzUzZWNlNmMyNjAiLCJwYXlsb2FkX2hhc2giOiJkZmZkNjAyMWJiMmJkNWIwYWY2NzYyOTA4MDllYzNhNTMxOTFkZDgxYzdmNzBhNGIyODY4OGEzNjIxODI5ODZmIn0._H--TOuYFLpeEH39-rg5E3IHVkjHozBcaKVWPRC5m9I");
  add("messagebird", "accept", "published example with a payload", "published signature", { ...at, url: "https://example.com/path?bar=1&foo=2", body: "Hello, World!", headers: withPayload });
  add("messagebird", "reject", "published example, parameters in another order", "the URL is signed as it was called", { ...at, url: "https://example.com/path?foo=2&bar=1", body: "Hello, World!", headers: withPayload });
}

// --- Plivo --------------------------------------------------------------------------
{
  const secret = "FAKEplivoauthtoken";
  const url = "https://hooks.example.test/in/plivo-v3";
  const nonce = "12345678901234567890";
  const pairs = [["To", "1"], ["From", "2"], ["Event", "StartApp"], ["Status", "x"]];
  const sorted = (list, joint) => [...list].sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1)).map(([n, v]) => n + joint + v);
  const message = (base, query, fields) =>
    base + (query.length || fields.length ? "?" : "") + sorted(query, "=").join("&") + (query.length && fields.length ? "." : "") + sorted(fields, "").join("");
  const sign = (text, key = secret) => b64(hmac("sha256", key, `${text}.${nonce}`));
  const request = (signature, rest = {}) => ({ secret, url, body: form(pairs), headers: { ...FORM, "x-plivo-signature-v3": signature, "x-plivo-signature-v3-nonce": nonce }, ...rest });
  const good = sign(message(url, [], pairs));
  add("plivo-v3", "accept", "a form", "URL, sorted form and nonce", request(good, { id: nonce, type: "StartApp" }));
  const status = [["Status", "sent"], ["MessageUUID", "u"]];
  add("plivo-v3", "accept", "a message's status", "Status stands in", request(sign(message(url, [], status)), { body: form(status), id: nonce, type: "sent" }));
  const call = [["CallStatus", "ringing"], ["CallUUID", "u"]];
  add("plivo-v3", "accept", "a call's status", "CallStatus stands in", request(sign(message(url, [], call)), { body: form(call), id: nonce, type: "ringing" }));
  const query = [["b", "2"], ["a", "1 é"], ["a", "0"]];
  add("plivo-v3", "accept", "query and form", "the query is sorted and decoded", request(sign(message(url, query, pairs)), { url: `${url}?${form(query)}` }));
  add("plivo-v3", "accept", "a GET", "the query alone", request(sign(message(url, query, [])), { method: "GET", url: `${url}?${form(query)}`, body: "" }));
  add("plivo-v3", "accept", "neither query nor form", "the URL alone", request(sign(url), { body: "" }));
  add("plivo-v3", "accept", "several signatures", "any may match", request(`${sign("other")},${good}`));
  add("plivo-v3", "accept", "several signatures and a space", "white space is no part of one", request(`${sign("other")}, ${good}`));
  add("plivo-v3", "accept", "one name twice", "values are sorted", request(sign(message(url, [], [["a", "2"], ["a", "1"]])), { body: "a=2&a=1" }));
  add("plivo-v3", "accept", "the older of two keys", "rotation", request(good, { secret: undefined, secrets: ["new", secret] }));
  add("plivo-v3", "reject", "tampered form", "signature mismatch", request(good, { body: form(pairs).replace("To=1", "To=3") }));
  add("plivo-v3", "reject", "another nonce", "the nonce is signed", request(good, { headers: { ...FORM, "x-plivo-signature-v3": good, "x-plivo-signature-v3-nonce": "1" } }));
  add("plivo-v3", "reject", "no nonce", "missing header", request(good, { headers: { ...FORM, "x-plivo-signature-v3": good } }));
  add("plivo-v3", "reject", "no signature", "missing header", request(good, { headers: { ...FORM, "x-plivo-signature-v3-nonce": nonce } }));
  add("plivo-v3", "reject", "in hexadecimal", "base64 is due", request(Buffer.from(good, "base64").toString("hex")));
  add("plivo-v3", "reject", "another key", "wrong key", request(sign(message(url, [], pairs), "other")));
  add("plivo-v3", "reject", "a query that was added", "the query is signed", request(good, { url: `${url}?x=1` }));
  add("plivo-v3", "reject", "a body that is no form", "it is not signed", request(sign(url), { headers: { ...JSONS, "x-plivo-signature-v3": sign(url), "x-plivo-signature-v3-nonce": nonce } }));
  add("plivo-v3", "reject", "a GET with a body", "it is not signed", request(sign(url), { method: "GET" }));
}

// --- Paddle Classic -----------------------------------------------------------------
{
  const php = (pairs) => {
    const text = (value) => `s:${Buffer.byteLength(value)}:"${value}";`;
    const sorted = [...pairs].sort(([a], [b]) => (a < b ? -1 : 1));
    return `a:${sorted.length}:{${sorted.map(([n, v]) => text(n) + text(v)).join("")}}`;
  };
  const sign = (pairs, kind = "sha1", key = rsaKey) => b64(crypto.sign(kind, Buffer.from(php(pairs)), key));
  const secret = crypto.createPublicKey(rsaKey).export({ type: "spki", format: "pem" });
  const pairs = [["alert_name", "payment_succeeded"], ["alert_id", "1001"], ["customer_name", "Zoë \"Q\" & co"], ["Email", "a+b@example.test"], ["empty", ""]];
  const request = (list, signature, rest = {}) => ({ secret, headers: FORM, body: form([...list, ["p_signature", signature]]), ...rest });
  add("paddle-classic", "accept", "valid", "RSA-SHA1 over the form as PHP serialises it", request(pairs, sign(pairs), { id: "1001", type: "payment_succeeded" }));
  add("paddle-classic", "accept", "fields in another order", "they are sorted", request([...pairs].reverse(), sign(pairs), { id: "1001" }));
  add("paddle-classic", "accept", "the key as the base64 of its DER", "PEM without its lines", request(pairs, sign(pairs), { secret: crypto.createPublicKey(rsaKey).export({ type: "spki", format: "der" }).toString("base64") }));
  add("paddle-classic", "accept", "the key in one line", "variables carry line breaks as \\n", request(pairs, sign(pairs), { secret: secret.replaceAll("\n", "\\n") }));
  add("paddle-classic", "accept", "a key of 1024 bits", "old accounts have one", request(pairs, sign(pairs, "sha1", shortRsaKey), { secret: crypto.createPublicKey(shortRsaKey).export({ type: "spki", format: "pem" }) }));
  add("paddle-classic", "reject", "tampered field", "signature mismatch", request(pairs.map(([n, v]) => [n, v === "1001" ? "1002" : v]), sign(pairs)));
  add("paddle-classic", "reject", "a field more", "all fields are signed", request([...pairs, ["x", "1"]], sign(pairs)));
  add("paddle-classic", "reject", "a name twice", "PHP takes the last and others the first", request([["alert_id", "6666"], ...pairs], sign(pairs)));
  add("paddle-classic", "reject", "SHA-256", "SHA-1 is due", request(pairs, sign(pairs, "sha256")));
  add("paddle-classic", "reject", "no signature", "missing field", { secret, headers: FORM, body: form(pairs) });
  add("paddle-classic", "reject", "not base64", "malformed", request(pairs, "%%%"));
}

// --- Fetched certificates and keys --------------------------------------------------
{
  const url = "https://api.paypal.com/v1/notifications/certs/CERT-OWN";
  const sandbox = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-OWN";
  const body = '{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED"}';
  const crc = (text) => {
    let value = 0xffffffff;
    for (const byte of Buffer.from(text)) {
      value ^= byte;
      for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    }
    return (value ^ 0xffffffff) >>> 0;
  };
  const request = ({ cert = url, algo = "SHA256withRSA", kind = "sha256", ...rest } = {}) => ({
    secret: "FAKEWEBHOOK", body, headers: { ...JSONS, "paypal-transmission-id": "t-1", "paypal-transmission-time": "2023-11-14T22:13:20Z",
      "paypal-auth-algo": algo, "paypal-cert-url": cert,
      "paypal-transmission-sig": b64(crypto.sign(kind, Buffer.from(`t-1|2023-11-14T22:13:20Z|FAKEWEBHOOK|${crc(body)}`), rsaKey)) },
    fixtures: { [cert]: certificate }, ...rest });
  add("paypal", "accept", "valid", "id, time, webhook and checksum", request({ id: "WH-1", type: "PAYMENT.CAPTURE.COMPLETED" }));
  add("paypal", "accept", "the sandbox", "a host of PayPal", request({ cert: sandbox }));
  add("paypal", "reject", "another host of the domain", "users write there", request({ cert: url.replace("api.", "www.") }));
  add("paypal", "reject", "another folder", "users write there", request({ cert: url.replace("notifications/certs", "images") }));
  add("paypal", "accept", "one of two webhooks", "any may match", request({ secret: undefined, secrets: ["OTHER", "FAKEWEBHOOK"] }));
  add("paypal", "reject", "SHA-1 with the right word", "SHA-256 is due", request({ kind: "sha1" }));
  add("paypal", "reject", "SHA-1 and its word", "SHA256withRSA is due", request({ kind: "sha1", algo: "SHA1withRSA" }));
  add("paypal", "reject", "the certificate is good no longer", "its dates count", request({ now: 4102444800 }));
  add("paypal", "reject", "the certificate is not good yet", "its dates count", request({ now: 1500000000 }));
  for (const bad of ["https://evilpaypal.com/c", "https://api.paypal.com@evil.example/c", "https://api.paypal.com:8443/c", `${url}?x=1`, `${url}#x`])
    add("paypal", "reject", `certificate at ${bad}`, "not a URL of PayPal's certificates", request({ cert: bad }));
}
{
  const cert = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-own.pem";
  const china = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-own.pem";
  const topic = "arn:aws:sns:us-east-1:000000000000:own";
  const subscribe = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=FAKE";
  const notification = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
  const subscription = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
  const request = ({ type = "Notification", url = cert, fields, version = "2", more = {}, rest = {} } = {}) => {
    const message = { Type: type, MessageId: "m-1", TopicArn: topic, Message: "hello", Timestamp: "2023-11-14T22:13:20.000Z", SignatureVersion: version, SigningCertURL: url, ...more };
    const names = fields ?? (type === "Notification" ? notification : subscription);
    const text = names.filter((name) => message[name] !== undefined).map((name) => `${name}\n${message[name]}\n`).join("");
    message.Signature = b64(crypto.sign(version === "1" ? "sha1" : "sha256", Buffer.from(text), rsaKey));
    return { secret: topic, body: message, headers: { "content-type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": type }, fixtures: { [url]: certificate }, ...rest };
  };
  const confirm = { Token: "FAKE", SubscribeURL: subscribe };
  add("aws-sns", "accept", "a notification", "its id and type", request({ rest: { id: "m-1", type: "Notification" } }));
  add("aws-sns", "accept", "the region of China", "a host of SNS", request({ url: china }));
  add("aws-sns", "accept", "one of two topics", "any may match", request({ rest: { secret: undefined, secrets: ["arn:aws:sns:us-east-1:000000000000:other", topic] } }));
  add("aws-sns", "accept", "the end of a subscription, without its token", "Amazon's own library signs so", request({ type: "UnsubscribeConfirmation", more: confirm, fields: subscription.filter((name) => name !== "Token") }));
  add("aws-sns", "reject", "the begin of a subscription, without its token", "the token is signed", request({ type: "SubscriptionConfirmation", more: confirm, fields: subscription.filter((name) => name !== "Token") }));
  add("aws-sns", "reject", "a subscription to be confirmed elsewhere", "SubscribeURL is SNS's own", request({ type: "SubscriptionConfirmation", more: { ...confirm, SubscribeURL: "https://sns.us-east-1.amazonaws.com.evil.example/" } }));
  add("aws-sns", "reject", "a subscription to be confirmed over http", "https is due", request({ type: "SubscriptionConfirmation", more: { ...confirm, SubscribeURL: subscribe.replace("https", "http") } }));
  add("aws-sns", "reject", "a Type that is not known", "nothing else is taken", request({ type: "Other", fields: notification }));
  add("aws-sns", "reject", "the certificate is good no longer", "its dates count", request({ rest: { now: 4102444800 } }));
  for (const bad of [`${cert}?x=1`, "https://sns.amazonaws.com/x.pem", "https://sns.us-east-1.s3.amazonaws.com/x.pem", "https://s3.us-east-1.amazonaws.com/x.pem", "https://sns.us-east-1.amazonaws.com:8443/x.pem", "https://a@sns.us-east-1.amazonaws.com/x.pem"])
    add("aws-sns", "reject", `certificate at ${bad}`, "not a URL of SNS's certificates", request({ url: bad }));
}
{
  const keys = "https://www.googleapis.com/oauth2/v1/certs";
  const audience = "https://hooks.example.test/in/google-pubsub";
  const secret = "push@fake.iam.gserviceaccount.com";
  const claims = { aud: audience, iss: "https://accounts.google.com", email: secret, email_verified: true, iat: NOW, exp: NOW + 3600 };
  const rs = (header, text) => token({ alg: "RS256", kid: "own", typ: "JWT", ...header }, text, (signed) => crypto.sign("sha256", Buffer.from(signed), rsaKey));
  const body = { message: { messageId: "77", attributes: { eventType: "OBJECT_FINALIZE", type: "other" }, data: "" } };
  const request = (jwt, rest = {}) => ({ secret, config: { audience }, body, headers: { ...JSONS, authorization: `Bearer ${jwt}` }, fixtures: { [keys]: JSON.stringify({ own: certificate }) }, ...rest });
  add("google-pubsub", "accept", "valid", "audience and account match", request(rs({}, claims), { id: "77", type: "OBJECT_FINALIZE" }));
  add("google-pubsub", "accept", "type as another attribute", "it stands in", request(rs({}, claims), { body: { message: { messageId: "78", attributes: { type: "t" } } }, id: "78", type: "t" }));
  add("google-pubsub", "accept", "the issuer's short name", "both are Google's", request(rs({}, { ...claims, iss: "accounts.google.com" })));
  add("google-pubsub", "accept", "bearer in small letters", "the scheme has no case", request(rs({}, claims), { headers: { ...JSONS, authorization: `bearer ${rs({}, claims)}` } }));
  add("google-pubsub", "accept", "one of two accounts", "any may push", request(rs({}, claims), { secret: undefined, secrets: ["other@fake.iam.gserviceaccount.com", secret] }));
  add("google-pubsub", "accept", "9 s after exp", "clocks differ", request(rs({}, { ...claims, exp: NOW - 9 })));
  add("google-pubsub", "reject", "10 s after exp", "expired", request(rs({}, { ...claims, exp: NOW - 10 })));
  add("google-pubsub", "accept", "10 s before iat", "clocks differ", request(rs({}, { ...claims, iat: NOW + 10 })));
  add("google-pubsub", "reject", "11 s before iat", "not good yet", request(rs({}, { ...claims, iat: NOW + 11 })));
  add("google-pubsub", "reject", "RS512", "RS256 is due", request(token({ alg: "RS512", kid: "own" }, claims, (signed) => crypto.sign("sha512", Buffer.from(signed), rsaKey))));
  add("google-pubsub", "reject", "HS256 keyed with the certificate", "RS256 is due", request(token({ alg: "HS256", kid: "own" }, claims, (signed) => hmac("sha256", certificate, signed))));
  add("google-pubsub", "reject", "alg none", "RS256 is due", request(token({ alg: "none", kid: "own" }, claims, () => "")));
  add("google-pubsub", "reject", "no kid", "no key is named", request(rs({ kid: undefined }, claims)));
  add("google-pubsub", "reject", "an extension that must be understood", "none is", request(rs({ crit: ["x"], x: 1 }, claims)));
  for (const name of Object.keys(claims))
    add("google-pubsub", "reject", `no ${name}`, "a claim is missing", request(rs({}, { ...claims, [name]: undefined })));
}
{
  const name = (kid) => `plaid:/webhook_verification_key/get?key_id=${kid}`;
  const pair = p256("plaid");
  const jwk = pair.open.export({ format: "jwk" });
  const der = (signed) => ecdsa(pair, Buffer.from(signed), crypto.createHash("sha256").update(signed).digest());
  // JWS wants both numbers with 32 bytes each, DER has them without leading zeros and with a sign.
  const raw = (signature) => {
    const numbers = [signature.subarray(4, 4 + signature[3]), signature.subarray(6 + signature[3])];
    return Buffer.concat(numbers.map((one) => Buffer.concat([Buffer.alloc(32), one]).subarray(-32)));
  };
  const key = (more = {}) => JSON.stringify({ key: { alg: "ES256", kid: "own", use: "sig", ...jwk, created_at: 1, expired_at: null, ...more } });
  const body = '{\n  "webhook_code": "INITIAL_UPDATE",\n  "webhook_type": "TRANSACTIONS"\n}';
  const claims = { iat: NOW, request_body_sha256: hexhash(body) };
  const es = (header, text) => token({ alg: "ES256", kid: "own", typ: "JWT", ...header }, text, (signed) => raw(der(signed)));
  const request = (jwt, rest = {}) => ({ secret: "FAKE-id:FAKE:secret", body, headers: { ...JSONS, "plaid-verification": jwt }, fixtures: { [name("own")]: key() }, ...rest });
  add("plaid", "accept", "valid", "ES256 over the body's hash", request(es({}, claims), { id: `${NOW}.${hexhash(body)}`, type: "TRANSACTIONS.INITIAL_UPDATE" }));
  add("plaid", "accept", "300 s ahead", "inside the tolerance", request(es({}, { ...claims, iat: NOW + 300 })));
  add("plaid", "reject", "301 s ahead", "too far ahead", request(es({}, { ...claims, iat: NOW + 301 })));
  add("plaid", "accept", "the key ends in a second", "it is good until then", request(es({}, claims), { fixtures: { [name("own")]: key({ expired_at: NOW + 1 }) } }));
  add("plaid", "reject", "the key ends now", "it has ended", request(es({}, claims), { fixtures: { [name("own")]: key({ expired_at: NOW }) } }));
  add("plaid", "reject", "an answer with another key", "kid differs", request(es({}, claims), { fixtures: { [name("own")]: key({ kid: "other" }) } }));
  add("plaid", "reject", "a key for another algorithm", "ES256 is due", request(es({}, claims), { fixtures: { [name("own")]: key({ alg: "ES384" }) } }));
  add("plaid", "reject", "a signature in DER", "64 bytes are due", request(token({ alg: "ES256", kid: "own" }, claims, der)));
  add("plaid", "reject", "a kid that leads elsewhere", "ids are plain", request(es({ kid: "own&x=1" }, claims), { fixtures: { [name("own&x=1")]: key({ kid: "own&x=1" }) } }));
  add("plaid", "reject", "no kid", "no key is named", request(es({ kid: undefined }, claims)));
}

writeAll(files);
