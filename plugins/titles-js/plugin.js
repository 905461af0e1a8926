// Says in one line what an event is about: for a chat, a log, a notification.
// @ts-check

import { replace, settings, unchanged } from "./hookloom/hookloom.js";

const usual = { length: 120 };
let config = usual;

export function configure(/** @type {unknown} */ given) {
  config = settings(given, usual);
  if (config.length < 10) throw new Error("`length` is wanted as 10 or more");
}

/** @param {import("./hookloom/hookloom.js").Event} event */
export function transform(event) {
  const said = (event.source === "stripe" ? ofStripe : ofGithub)(event.json());
  if (said === null) return unchanged();
  return replace({ json: { text: cut(said.text), url: said.url } });
}

/** @param {any} body */
function ofGithub({ action, issue, pull_request, release, commits, compare, ref, repository, sender }) {
  const subject = issue ?? pull_request;
  if (!repository) return null;
  const where = `[${repository.full_name}] ${sender?.login ?? "someone"}`;
  if (subject) return { text: `${where} ${action} #${subject.number}: ${subject.title}`, url: subject.html_url };
  if (release) return { text: `${where} ${action} ${release.name ?? release.tag_name}`, url: release.html_url };
  if (!commits) return null;
  const count = commits.length === 1 ? "1 commit" : `${commits.length} commits`;
  return { text: `${where} pushed ${count} to ${ref.replace(/^refs\/\w+\//, "")}`, url: compare };
}

/** @param {any} body */
function ofStripe({ type, data }) {
  const { amount, currency, id } = data?.object ?? {};
  if (!type) return null;
  const sum = amount === undefined ? id : `${(amount / 100).toFixed(2)} ${String(currency).toUpperCase()}`;
  return { text: `${type.replaceAll(/[._]/g, " ")}: ${sum}`, url: `https://dashboard.stripe.com/search?query=${id}` };
}

/** By whole characters, whatever they are made of. */
function cut(/** @type {string} */ text) {
  const characters = [...text];
  return characters.length <= config.length ? text : `${characters.slice(0, config.length - 1).join("")}…`;
}
