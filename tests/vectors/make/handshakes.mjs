// Handshakes beyond those that were recorded: writes ../own/handshakes.json, in the shape
// of ../handshakes.json. Signed with node:crypto; keys and times are fixed, so a second
// run writes the same bytes. Run: node handshakes.mjs
//
// Fields that ../handshakes.json does not have: `config.verify` is the scheme of a
// provider that has no preset, `config.secrets` are several, `config.public_key` is what a
// source is given under that key; `forward: true` is an event, and stored; `expect.absent`
// must not be in the answer.
import { createHash, createHmac, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { writeAll } from "./lib/write.mjs";

const NOW = "1700000000";
const entries = [];
const hmac = (algorithm, key, ...pieces) => pieces.reduce((mac, piece) => mac.update(piece), createHmac(algorithm, key));
const sha256 = (encoding, key, ...pieces) => hmac("sha256", key, ...pieces).digest(encoding);
const json = { "content-type": "application/json" };
const secretOf = (provider) => `FAKE-test-only-${provider}`;

function add(provider, description, { config, method = "POST", query = "", headers = {}, body = "", expect, ...rest }) {
  const signed = rest.signature ?? "none";
  entries.push({
    provider,
    description,
    source: "own:make/handshakes.mjs",
    config: config ?? { secret: secretOf(provider) },
    request: {
      method,
      url: `https://hooks.example.test/in/${provider}${query ? `?${query}` : ""}`,
      headers,
      body_base64: Buffer.from(body).toString("base64"),
    },
    signature: signed,
    expect,
    forward: rest.forward ?? false,
    ...(rest.store ? { store: rest.store } : {}),
  });
}

const text = (body) => ({ status: 200, headers: { "content-type": "text/plain", "x-content-type-options": "nosniff" }, body });
const asJson = (value) => ({ status: 200, headers: { "content-type": "application/json", "x-content-type-options": "nosniff" }, json: value });
const empty = (status = 200) => ({ status, body: "" });
const refused = (status, absent) => ({ status, headers: { "content-type": "application/json" }, ...(absent ? { absent } : {}) });
const EVENT = { status: 200, headers: { "content-type": "application/json" } };
const first = { signature: "first" };

// Challenges of the query, in the clear.
for (const [provider, name, method] of [
  ["dropbox", "challenge", "GET"],
  ["nylas", "challenge", "GET"],
  ["ms-graph", "validationToken", "POST"],
  ["ms-graph", "validationtoken", "POST"],
]) {
  const ask = (description, value, expect) => add(provider, `${name}: ${description}`, { method, query: `${name}=${value}`, expect });
  ask("whole", "FAKE%2Bchallenge", text("FAKE+challenge"));
  ask("HTML stays text", "%3Cscript%3Ealert(1)%3C%2Fscript%3E", text("<script>alert(1)</script>"));
  ask("512 bytes", "x".repeat(512), text("x".repeat(512)));
  ask("too long", "x".repeat(513), refused(400, "xxxx"));
  ask("CR and LF", "FAKE%0D%0Aset-cookie%3A%20a%3Db", refused(400, "set-cookie"));
  ask("empty", "", refused(400));
  ask("repeated", `FAKEone&${name}=FAKEtwo`, refused(400, "FAKE"));
  add(provider, `${name}: missing`, { method, query: "other=FAKE", expect: refused(method === "GET" ? 405 : 400, "FAKE") });
}

// Meta: the verify token comes first.
const meta = { secret: secretOf("meta"), verify_token: "FAKE-verify" };
const hub = (token, challenge, mode = "subscribe") => `hub.mode=${mode}&hub.challenge=${challenge}&hub.verify_token=${token}`;
for (const [description, query, expect] of [
  ["HTML stays text", hub("FAKE-verify", "%3Cb%3E"), text("<b>")],
  ["no verify token", "hub.mode=subscribe&hub.challenge=FAKE", refused(403, "FAKE")],
  ["a verify token that begins like ours", hub("FAKE-verif", "CHALLENGE"), refused(403, "CHALLENGE")],
  ["another mode", hub("FAKE-verify", "CHALLENGE", "unsubscribe"), refused(400, "CHALLENGE")],
  ["no challenge", "hub.mode=subscribe&hub.verify_token=FAKE-verify", refused(400)],
  ["repeated challenge", `${hub("FAKE-verify", "CHALLENGE")}&hub.challenge=2`, refused(400, "CHALLENGE")],
  ["CR and LF", hub("FAKE-verify", "CHALLENGE%0D%0A"), refused(400, "CHALLENGE")],
  ["too long", hub("FAKE-verify", "x".repeat(513)), refused(400, "xxxx")],
]) {
  add("meta", description, { config: meta, method: "GET", query, expect });
}

// Okta: a header.
const okta = (value) => ({ "x-okta-verification-challenge": value });
add("okta", "HTML stays JSON", { method: "GET", headers: okta("<b>\""), expect: asJson({ verification: "<b>\"" }) });
add("okta", "too long", { method: "GET", headers: okta("x".repeat(513)), expect: refused(400, "xxxx") });
add("okta", "not visible ASCII", { method: "GET", headers: okta("FAKE challenge"), expect: refused(400, "FAKE") });
add("okta", "repeated", { method: "GET", headers: okta(["FAKEone", "FAKEtwo"]), expect: refused(400, "FAKE") });
add("okta", "missing", { method: "GET", expect: refused(405) });

// Slack and Twitch: signed, in the clear.
const slack = (body, key = secretOf("slack")) => ({
  ...json,
  "x-slack-request-timestamp": NOW,
  "x-slack-signature": `v0=${sha256("hex", key, `v0:${NOW}:${body}`)}`,
});
const slackAsks = JSON.stringify({ type: "url_verification", challenge: "FAKEchallenge" });
add("slack", "forged", { headers: slack(slackAsks, "other"), body: slackAsks, expect: refused(401, "FAKEchallenge"), ...first });
for (const [description, challenge] of [["too long", "x".repeat(513)], ["CR and LF", "FAKE\r\n"], ["empty", ""]]) {
  const body = JSON.stringify({ type: "url_verification", challenge });
  add("slack", description, { headers: slack(body), body, expect: refused(400), ...first });
}
const slackEvent = JSON.stringify({ type: "event_callback", challenge: "x", event_id: "Ev1" });
add("slack", "an event with a challenge", { headers: slack(slackEvent), body: slackEvent, expect: EVENT, forward: true, ...first });

const twitch = (type, body, key = secretOf("twitch")) => {
  const time = "2023-11-14T22:13:20.123456789Z";
  return {
    ...json,
    "twitch-eventsub-message-type": type,
    "twitch-eventsub-message-id": "FAKE1",
    "twitch-eventsub-message-timestamp": time,
    "twitch-eventsub-message-signature": `sha256=${sha256("hex", key, `FAKE1${time}`, body)}`,
  };
};
const twitchAsks = JSON.stringify({ challenge: "FAKEchallenge", subscription: { id: "1", type: "stream.online" } });
const VERIFICATION = "webhook_callback_verification";
add("twitch", "forged", { headers: twitch(VERIFICATION, twitchAsks, "other"), body: twitchAsks, expect: refused(401, "FAKEchallenge"), ...first });
add("twitch", "without a challenge", { headers: twitch(VERIFICATION, "{}"), body: "{}", expect: refused(400), ...first });
const revoked = JSON.stringify({ subscription: { id: "1", type: "stream.online", status: "authorization_revoked" } });
add("twitch", "a revocation is an event", { headers: twitch("revocation", revoked), body: revoked, expect: EVENT, forward: true, ...first });

// Zoom, X, LinkedIn, Braintree: a MAC of the challenge.
const zoom = (body, key = secretOf("zoom")) => ({
  ...json,
  "x-zm-request-timestamp": NOW,
  "x-zm-signature": `v0=${sha256("hex", key, `v0:${NOW}:${body}`)}`,
});
const zoomAsks = JSON.stringify({ event: "endpoint.url_validation", payload: { plainToken: "FAKE<token>" } });
const zoomAnswer = (key) => asJson({ plainToken: "FAKE<token>", encryptedToken: sha256("hex", key, "FAKE<token>") });
add("zoom", "forged", { headers: zoom(zoomAsks, "other"), body: zoomAsks, expect: refused(401, "FAKE<"), ...first });
for (const [description, place] of [["the first of two secrets", 0], ["the second of two secrets", 1]]) {
  const secrets = ["FAKE-new", "FAKE-old"];
  const headers = zoom(zoomAsks, secrets[place]);
  add("zoom", description, { config: { secrets }, headers, body: zoomAsks, expect: zoomAnswer(secrets[place]), ...first });
}
const zoomEmpty = JSON.stringify({ event: "endpoint.url_validation", payload: {} });
add("zoom", "without a plainToken", { headers: zoom(zoomEmpty), body: zoomEmpty, expect: refused(400), ...first });

const crc = (token) => asJson({ response_token: `sha256=${sha256("base64", secretOf("x-twitter"), token)}` });
add("x-twitter", "CRC with every character", { method: "GET", query: "crc_token=aZ09-_%2B%2F%3D", expect: crc("aZ09-_+/=") });
add("x-twitter", "CRC: another parameter", { method: "GET", query: "crc=FAKE", expect: refused(405) });
for (const [description, query] of [
  ["an event's body", `crc_token=${encodeURIComponent('{"a":1}')}`],
  ["too long", `crc_token=${"x".repeat(513)}`],
  ["repeated", "crc_token=FAKE&crc_token=FAKE"],
  ["empty", "crc_token="],
]) {
  add("x-twitter", `CRC of ${description}`, { method: "GET", query, expect: refused(400, "sha256=") });
}
const xs = (body) => ({ ...json, "x-twitter-webhooks-signature": `sha256=${sha256("base64", secretOf("x-twitter"), body)}` });
add("x-twitter", "an event with the signature that a CRC gives", { headers: xs("FAKEtoken"), body: "FAKEtoken", expect: refused(401), ...first });
add("x-twitter", "an event", { headers: xs('{"favorite_events":[]}'), body: '{"favorite_events":[]}', expect: EVENT, forward: true, ...first });

const UUID = "890e4665-4dfe-4ab1-b689-ed553bceeed0";
const linkedin = asJson({ challengeCode: UUID, challengeResponse: sha256("hex", secretOf("linkedin"), UUID) });
add("linkedin", "challengeCode", { method: "GET", query: `challengeCode=${UUID}`, expect: linkedin });
add("linkedin", "challengeCode of a child application", { method: "GET", query: `applicationId=1&challengeCode=${UUID}`, expect: linkedin });
for (const [description, query] of [
  ["what an event signs", `challengeCode=${encodeURIComponent("hmacsha256={}")}`],
  ["too long", `challengeCode=${"a".repeat(513)}`],
  ["repeated", `challengeCode=${UUID}&challengeCode=${UUID}`],
  ["empty", "challengeCode="],
]) {
  add("linkedin", `challengeCode: ${description}`, { method: "GET", query, expect: refused(400, "challengeResponse") });
}
add("linkedin", "challengeCode: missing", { method: "GET", expect: refused(405) });

const braintree = { secret: secretOf("braintree"), public_key: "FAKEpublic" };
const btKey = createHash("sha1").update(braintree.secret).digest();
const BT = "20f9f8ed05f77439fe955c977e4c8a53";
const btAnswer = text(`FAKEpublic|${hmac("sha1", btKey, BT).digest("hex")}`);
add("braintree", "bt_challenge", { config: braintree, method: "GET", query: `bt_challenge=${BT}`, expect: btAnswer });
for (const [description, query] of [
  ["upper-case digits", `bt_challenge=${BT.toUpperCase()}`],
  ["too short", "bt_challenge=20f9f8ed05f77439fe9"],
  ["too long", `bt_challenge=${BT}0`],
  ["a notification", "bt_challenge=PG5vdGlmaWNhdGlvbj4K"],
  ["repeated", `bt_challenge=${BT}&bt_challenge=${BT}`],
]) {
  add("braintree", `bt_challenge: ${description}`, { config: braintree, method: "GET", query, expect: refused(400, "FAKEpublic") });
}
add("braintree", "bt_challenge: missing", { config: braintree, method: "GET", expect: refused(405) });

// Asana, Clio, Notion: secrets.
const STORE = "the secret is one of this source's from then on; only while its window is open";
const clio = { verify: { signature: { header: "x-hook-signature" }, handshake: "hook-secret" } };
const handed = (secret) => ({ status: 200, headers: { "x-hook-secret": secret }, body: "" });
add("clio", "X-Hook-Secret", { config: clio, headers: { "x-hook-secret": "FAKEhooksecret" }, expect: handed("FAKEhooksecret"), store: STORE });
for (const [description, secret] of [["too long", "x".repeat(513)], ["not visible ASCII", "FAKE secret"], ["repeated", ["FAKEone", "FAKEtwo"]]]) {
  add("asana", `X-Hook-Secret: ${description}`, { config: {}, headers: { "x-hook-secret": secret }, expect: refused(400, "FAKE"), store: STORE });
}
add("asana", "X-Hook-Secret that nobody waits for", { config: {}, headers: { "x-hook-secret": "FAKEhooksecret" }, expect: refused(403, "FAKEhooksecret") });
add("asana", "X-Hook-Secret beside a signature", { headers: { "x-hook-secret": "FAKEother", "x-hook-signature": "00" }, expect: refused(401, "FAKEother"), store: STORE });
add("asana", "an event before the handshake", { config: {}, headers: { "x-hook-signature": "00" }, body: "{}", expect: refused(401) });
const asanaEvent = JSON.stringify({ events: [{ action: "added" }] });
add("asana", "an event", { headers: { "x-hook-signature": sha256("hex", secretOf("asana"), asanaEvent) }, body: asanaEvent, expect: EVENT, forward: true, ...first });
const notion = (token) => JSON.stringify({ verification_token: token });
add("notion", "verification_token that nobody waits for", { config: {}, headers: json, body: notion("secret_FAKE"), expect: refused(403, "secret_FAKE") });
for (const [description, token] of [["too long", "x".repeat(513)], ["CR and LF", "FAKE\r\n"], ["empty", ""], ["not visible ASCII", "FAKE é"]]) {
  add("notion", `verification_token: ${description}`, { config: {}, headers: json, body: notion(token), expect: refused(400, "FAKE"), store: STORE });
}
const notionEvent = JSON.stringify({ id: "1", type: "page.created", verification_token: "FAKE" });
add("notion", "an event with a token in it", {
  headers: { ...json, "x-notion-signature": `sha256=${sha256("hex", secretOf("notion"), notionEvent)}` },
  body: notionEvent, expect: EVENT, forward: true, ...first,
});

// Discord, LINE, Xero: signed pings.
const seed = Buffer.from("302e020100300506032b657004220420" + "07".repeat(32), "hex");
const key = createPrivateKey({ key: seed, format: "der", type: "pkcs8" });
const discord = { secret: createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32).toString("hex") };
const discordSigns = (body, signed = body) => ({
  ...json,
  "x-signature-timestamp": NOW,
  "x-signature-ed25519": sign(null, Buffer.from(NOW + signed), key).toString("hex"),
});
for (const [description, body, expect, forward] of [
  ["events PING", '{"version":1,"application_id":"1","type":0}', empty(204)],
  ["interactions PING", '{"id":"1","type":1}', asJson({ type: 1 })],
  ["an event", '{"version":1,"application_id":"1","type":1,"event":{"type":"ENTITLEMENT_CREATE"}}', empty(204), true],
]) {
  add("discord", description, { config: discord, headers: discordSigns(body), body, expect, forward, ...first });
  add("discord", `${description}, forged`, { config: discord, headers: discordSigns(body, "{}"), body, expect: refused(401), ...first });
}
for (const [provider, header] of [["line", "x-line-signature"], ["xero", "x-xero-signature"]]) {
  const signs = (body, secret = secretOf(provider)) => ({ ...json, [header]: sha256("base64", secret, body) });
  const none = '{"events":[],"lastEventSequence":0,"firstEventSequence":0,"entropy":"FAKE"}';
  const one = '{"destination":"U1","events":[{"type":"message","webhookEventId":"01"}]}';
  add(provider, "no events", { headers: signs(none), body: none, expect: empty(), ...first });
  add(provider, "no events, forged", { headers: signs(none, "other"), body: none, expect: refused(401), ...first });
  // Xero wants answers without a body, and its preset says so.
  add(provider, "an event", { headers: signs(one), body: one, expect: { status: 200 }, forward: true, ...first });
}

// Probes and pings that prove nothing.
for (const provider of ["trello", "mandrill", "intercom", "slack"]) {
  add(provider, "HEAD", { method: "HEAD", expect: empty() });
}
add("trello", "OPTIONS", { method: "OPTIONS", expect: { status: 204, headers: { allow: "POST" }, body: "" } });
const form = { "content-type": "application/x-www-form-urlencoded" };
const mandrill = (secret, batch) => hmac("sha1", secret, `https://hooks.example.test/in/mandrill`, `mandrill_events${batch}`).digest("base64");
const mandrillPing = (secret, batch) => ({
  headers: { ...form, "x-mandrill-signature": mandrill(secret, batch) },
  body: `mandrill_events=${encodeURIComponent(batch)}`,
});
add("mandrill", "ping by the well-known key", { ...mandrillPing("test-webhook", "[]"), expect: empty(), ...first });
add("mandrill", "ping by another key", { ...mandrillPing("other", "[]"), expect: refused(401), ...first });
add("mandrill", "events by the well-known key", { ...mandrillPing("test-webhook", '[{"event":"send"}]'), expect: refused(401), ...first });
add("woocommerce", "ping", { headers: form, body: "webhook_id=7", expect: empty() });
for (const [description, headers, body] of [["more than the id", form, "webhook_id=7&a=b"], ["no id", form, "webhook_id=a"], ["JSON", json, "webhook_id=7"], ["too long", form, `webhook_id=${"7".repeat(21)}`]]) {
  add("woocommerce", `ping: ${description}`, { headers, body, expect: refused(401) });
}

// Providers without a preset.
const token = { algorithm: "token", body_unsigned: true };
const monday = { secret: "FAKE", verify: { ...token, signature: { header: "authorization" }, handshake: "monday-challenge" } };
const mondayAsks = (challenge, more = {}) => JSON.stringify({ challenge, ...more });
add("monday", "challenge", { config: monday, headers: json, body: mondayAsks("FAKE<b>"), expect: asJson({ challenge: "FAKE<b>" }) });
add("monday", "challenge: too long", { config: monday, headers: json, body: mondayAsks("x".repeat(513)), expect: refused(400, "xxxx") });
add("monday", "challenge: CR and LF", { config: monday, headers: json, body: mondayAsks("FAKE\r\n"), expect: refused(400, "FAKE") });
add("monday", "challenge: empty", { config: monday, headers: json, body: mondayAsks(""), expect: refused(400) });
add("monday", "challenge beside an event", { config: monday, headers: json, body: mondayAsks("FAKE", { event: { type: "create_pulse" } }), expect: refused(401, "FAKE") });
const mailchimp = { secret: "FAKE", verify: { ...token, signature: { query: "key" }, handshake: "get-probe" } };
add("mailchimp", "GET", { config: mailchimp, method: "GET", query: "key=FAKE", expect: empty() });
add("mailchimp", "an event without the key", { config: mailchimp, headers: form, body: "type=subscribe", expect: refused(401) });
const cloudevents = { secret: "FAKE", verify: { ...token, signature: { header: "authorization", prefix: "Bearer " }, handshake: "cloudevents" } };
const asks = (origin) => ({ config: cloudevents, method: "OPTIONS", headers: { "webhook-request-origin": origin, "webhook-request-rate": "120" } });
const granted = { status: 200, headers: { "webhook-allowed-origin": "events.example.test", "webhook-allowed-rate": "*" }, body: "" };
add("cloudevents", "permission", { ...asks("events.example.test"), expect: granted });
add("cloudevents", "permission: not visible ASCII", { ...asks("FAKE origin"), expect: refused(400, "FAKE") });
add("cloudevents", "permission: repeated", { ...asks(["FAKEone", "FAKEtwo"]), expect: refused(400, "FAKE") });
add("cloudevents", "OPTIONS without an origin", { config: cloudevents, method: "OPTIONS", expect: { status: 204, headers: { allow: "POST" } } });

writeAll({ handshakes: entries });
