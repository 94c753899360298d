// SPDX-License-Identifier: MIT
//
// The parts of clients.mjs about what is not a tool: prompts, resources,
// completions, subscriptions.  Each does nothing when the server does not
// announce it.

import { ended } from "./kinds.mjs";

const UNKNOWN = "onepassword://no-such-resource";
const PAGES = 100;              // more than any vault of the stand-in has

export const offers = (client, capability) =>
	client.getServerCapabilities()?.[capability] !== undefined;

// What an argument of this name is given, as its user would.
const given = (login) => ({ item_name: login.title, vault: "AI" });

// The code that came over the wire: the newer client changes one.
async function refused(c, promise) {
	const { error } = await ended(promise);
	return error && c.received.findLast((m) => m.error)?.error.code;
}

const isText = (s) => typeof s === "string" && s.length > 0;

// Members every entry of a list has, and those of later revisions.
const isEntry = (kind, e) => isText(e.name) && isText(e.description) &&
	(e.title !== undefined) === (kind.revision >= "2025-06-18");

// ---- prompts ------------------------------------------------------------

// Whether a prompt, given all its arguments, is text with them in it.
async function isPrompt(client, prompt, login) {
	const args = Object.fromEntries((prompt.arguments ?? []).map((a) =>
		[a.name, given(login)[a.name]]));
	const { messages } = await client.getPrompt(
		{ name: prompt.name, arguments: args });
	const text = messages.map((m) => m.content.text).join("\n");
	return messages.length > 0 && messages.every((m) => m.role === "user" &&
		m.content.type === "text" && isText(m.content.text)) &&
		Object.values(args).every((v) => text.includes(v));
}

export async function checkPrompts(kind, c, ok, [login]) {
	if (!offers(c.client, "prompts"))
		return;
	const { prompts, nextCursor } = await c.client.listPrompts();
	ok("lists prompts", nextCursor === undefined && prompts.length > 0 &&
		prompts.every((p) => isEntry(kind, p)), `${prompts.length}`);
	const bad = [];
	for (const p of prompts)
		if (!await isPrompt(c.client, p, login).catch(() => false))
			bad.push(p.name);
	ok(`gets all ${prompts.length} prompts`, bad.length === 0, bad.join());
	const asks = prompts.find((p) => p.arguments?.some((a) => a.required));
	ok("a prompt without its argument is refused", asks === undefined ||
		await refused(c, c.client.getPrompt({ name: asks.name,
			arguments: {} })) === -32602);
	ok("unknown prompt is refused", await refused(c, c.client.getPrompt(
		{ name: "no_such_prompt" })) === -32602);
	ok("a cursor of no list of prompts is refused", await refused(c,
		c.client.listPrompts({ cursor: "x" })) === -32602);
}

// ---- resources ----------------------------------------------------------

// The content of a resource, which is JSON; undefined when it is not as its
// entry says.
async function content(client, uri, { mimeType } = {}) {
	const { contents: [only, ...more] } =
		await client.readResource({ uri });
	return more.length === 0 && only.uri === uri &&
		only.mimeType === mimeType ? JSON.parse(only.text) : undefined;
}

// All items of the vault, page by page; null when a page is wrong.
async function allItems(client, first, template) {
	const items = [];
	let uri = first;
	let pages = 0;
	for (; uri !== undefined && pages < PAGES; pages++) {
		const page = await content(client, uri, template);
		if (!Array.isArray(page?.items))
			return { items: [], pages };
		items.push(...page.items);
		uri = page.next;
	}
	return { items, pages };
}

async function checkTemplate(kind, c, ok, logins) {
	const { resourceTemplates: list, nextCursor } =
		await c.client.listResourceTemplates();
	const [template] = list;
	const items = /^(.*\{vault\}.*)\{\?cursor\}$/.exec(
		template?.uriTemplate);
	ok("lists the resource template", nextCursor === undefined &&
		list.length === 1 && isEntry(kind, template) &&
		items !== null, `${list.length}`);
	const uri = items?.[1].replace("{vault}", "AI");
	const all = await allItems(c.client, uri, template);
	const titles = new Set(all.items.map((i) => i.title));
	ok(`reads the vault's ${all.items.length} items on ${all.pages} pages`,
		all.pages > 1 && all.items.length > 100 &&
		new Set(all.items.map((i) => i.id)).size ===
		all.items.length && logins.every((l) => titles.has(l.title)));
	ok("a cursor of no page is refused", await refused(c,
		c.client.readResource({ uri: `${uri}?cursor=x` })) < 0);
	ok("another vault's items are refused", await refused(c,
		c.client.readResource({ uri: items[1].replace("{vault}",
			"Ops") })) < 0);
	ok("a cursor of no list of templates is refused", await refused(c,
		c.client.listResourceTemplates({ cursor: "x" })) === -32602);
}

export async function checkResources(kind, c, ok, logins) {
	if (!offers(c.client, "resources"))
		return;
	const { resources, nextCursor } = await c.client.listResources();
	ok("lists resources", nextCursor === undefined &&
		resources.length > 0 && resources.every((r) =>
		isEntry(kind, r) && URL.canParse(r.uri)));
	const bad = [];
	for (const r of resources)
		if (!await content(c.client, r.uri, r).catch(() => false))
			bad.push(r.uri);
	ok(`reads all ${resources.length} resources`, bad.length === 0,
		bad.join());
	await checkTemplate(kind, c, ok, logins);
	const code = await refused(c, c.client.readResource({ uri: UNKNOWN }));
	ok("unknown resource is refused",
		code === (kind.era === "modern" ? -32602 : -32002), `${code}`);
	ok("a cursor of no list of resources is refused", await refused(c,
		c.client.listResources({ cursor: "x" })) === -32602);
}

// ---- completion ---------------------------------------------------------

// The values offered for an argument of which `value` has been typed.
async function completed(client, ref, name, value) {
	const { completion: { values, total, hasMore } } =
		await client.complete({ ref, argument: { name, value } });
	if (values.length > 100 || !values.every((v) => isText(v)) ||
	    (hasMore ?? false) !== ((total ?? 0) > values.length))
		throw new Error("not a completion");
	return values;
}

// What can be completed: { ref, name } of each argument.
async function completable(client) {
	const { prompts } = await client.listPrompts();
	const all = prompts.flatMap((p) => (p.arguments ?? []).map((a) =>
		({ ref: { type: "ref/prompt", name: p.name }, name: a.name })));
	if (!offers(client, "resources"))
		return all;
	const { resourceTemplates } = await client.listResourceTemplates();
	return all.concat(resourceTemplates.flatMap(({ uriTemplate: uri }) =>
		[...uri.matchAll(/\w+(?=\})/g)].map(([name]) =>
			({ ref: { type: "ref/resource", uri }, name }))));
}

// From 2025-03-26 there is a capability for it; before, prompts have it.
export async function checkCompletion(kind, c, ok, [login]) {
	if (!offers(c.client, kind.revision > "2024-11-05" ? "completions" :
	    "prompts"))
		return;
	const todo = await completable(c.client);
	const bad = [];
	for (const { ref, name } of todo) {
		const whole = given(login)[name] ?? "";
		const values = await completed(c.client, ref, name,
			whole.slice(0, -1)).catch(() => undefined);
		if (values === undefined ||
		    (whole !== "" && !values.includes(whole)))
			bad.push(`${ref.name ?? ref.uri} ${name}`);
	}
	ok(`completes all ${todo.length} arguments`, todo.length > 0 &&
		bad.length === 0, bad.join("; "));
	const none = todo.map(({ ref, name }) => completed(c.client, ref, name,
		"No value begins so").then((v) => v.length));
	ok("completes nothing where nothing fits",
		(await Promise.all(none)).every((n) => n === 0));
	ok("what cannot be completed is refused", await refused(c,
		c.client.complete({ ref: { type: "ref/prompt",
			name: "no_such_prompt" },
		argument: { name: "x", value: "" } })) === -32602);
}

// ---- subscriptions ------------------------------------------------------

// subscriptions/listen, of the modern era: nothing can change here, so that
// nothing is promised; it stays open until it is closed.
export async function checkListening(kind, c, ok) {
	if (kind.era !== "modern" || !offers(c.client, "prompts"))
		return;
	const { value: open, error } = await ended(c.client.listen({
		toolsListChanged: true, promptsListChanged: true,
		resourcesListChanged: true,
		resourceSubscriptions: ["onepassword://vaults"] }));
	ok("listens to changes", error === undefined &&
		Object.keys(open.honoredFilter).length === 0);
	const ends = open?.closed.then((how) => how === "local");
	await open?.close();
	ok("stops listening", await ends);
}
