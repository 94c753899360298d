// SPDX-License-Identifier: MIT
//
// opmcp against the official SDK, reference by reference: in an account full
// of random items, with fields of all kinds, values of the wrong type and
// names that several fields have, read_secret must give the same bytes as
// secrets.resolve, and refuse what that refuses.
//
//   node random.mjs [OPMCP [STANDIN]]   one line per check, no values
//
// SEED=S N=300 in the environment repeats a run.

import { fileURLToPath } from "node:url";
import { check } from "./checks.mjs";
import { open, runInside } from "./both.mjs";

const IN_FLIGHT = 16;           // calls opmcp has at a time
const BATCH = 500;              // references for the SDK at a time
const SAMPLE = 12;              // every which one is also resolved alone
const BROKEN = 12;              // items whose references are also spoilt

// How the SDK refuses a reference, in resolveAll() and in resolve(), and
// opmcp's words for that.
const refusals = [
	["parsing", "could not be parsed", "invalid_reference",
		"invalid_argument"],
	["vaultNotFound", "no vault matched", "vault_not_found",
		"vault_not_allowed"],
	["tooManyItems", "more than one item matched", "item_ambiguous"],
	["itemNotFound", "no item matched", "item_not_found"],
	["", "item is not in an active state", "item_archived"],
	["noMatchingSections", "no section matched", "section_not_found"],
	["tooManyMatchingFields", "more than one field matched",
		"field_ambiguous"],
	["fieldNotFound", "field cannot be found", "field_not_found"],
	["", "unable to read value from field", "field_unsupported"],
	["unsupportedFileFormat", "only text files are supported",
		"file_not_text"],
	["incompatibleTOTPQueryParameterField", "TOTP attribute can only be",
		"not_a_totp_field"],
	["unableToGenerateTotpCode", "TOTP code could not be generated",
		"totp_invalid"],
	["incompatibleSshKeyQueryParameterField",
		"SSH key formatting can only be", "not_an_ssh_key"],
	["unableToParsePrivateKey", "rivate key", "ssh_key_invalid"],
];

// ---- the references of an item -------------------------------------------

// Every way to name a field: by its id and its title, without and with its
// section's.
function waysTo(item, f) {
	const section = item.sections.find((s) => s.id === f.sectionId);
	const names = [f.id, f.title];
	const ways = [...names];
	if (section !== undefined)
		ways.push(`${section.id}/${f.id}`, `${section.id}/${f.title}`,
			`${section.title}/${f.title}`);
	return ways;
}

const facts = ["public key", "public_key", "fingerprint", "key type"];

// { where, kind, reference } for all that is in an item, each reference once.
function references(vault, item) {
	const base = `op://${vault}/${item.id}/`;
	const all = new Map();
	const add = (kind, way) => all.has(base + way) ||
		all.set(base + way, { kind, reference: base + way });
	for (const f of item.fields) {
		for (const way of waysTo(item, f))
			add(f.fieldType, way);
		if (f.fieldType === "Totp")
			add("one-time code", `${f.id}?attribute=otp`);
		if (f.fieldType !== "SshKey")
			continue;
		add("OpenSSH key", `${f.id}?ssh-format=openssh`);
		for (const way of facts) {
			add("fact of a key", way);
			add("fact of a key", `${f.sectionId}/${way}`);
		}
	}
	for (const { fieldId, attributes } of item.files) {
		add("file", fieldId);
		add("file", attributes.name);
	}
	if (item.document)
		add("document", item.document.name);
	for (const way of ["notesPlain", "notes"])
		add("notes", way);
	for (const way of ["username", "password", "nope", "title"])
		add("usual name", way);
	all.set("title", { kind: "item by title",
		reference: `op://AI/${item.title}/username` });
	return [...all.values()];
}

// References that are wrong in one way each.
function spoilt(vault, item) {
	const name = item.fields.find((f) => f.fieldType !== "Totp" &&
		f.fieldType !== "SshKey")?.id ?? "x";
	const ref = `op://${vault}/${item.id}/${name}`;
	return [`${ref}?attribute=otp`, `${ref}?attribute=totp`,
		`${ref}?ssh-format=openssh`, `${ref}?ssh-format=pem`,
		`${ref}?attribute=value`, `${ref}?Attribute=otp`, `${ref}?`,
		`${ref}?attribute=otp&attribute=otp`, `${ref}/`, ` ${ref}`,
		`${ref}/a/b`, `${ref}%20`, `${ref}+`, `${ref}ü`,
		ref.replace("op:", "OP:"), ref.slice(5), "",
		`op://${vault}/${item.id}`, `op://${vault}/${item.id}/`,
		`op://${vault}/${item.id}/No such section/${name}`,
		`op://No such vault/${item.id}/${name}`,
		`op:///${item.id}/${name}`, `op://AI//${name}`,
		`op://AI/No such item/${name}`,
		`op://${vault.toUpperCase()}/${item.id}/${name}`,
		`op://AI/${item.id.toUpperCase()}/${name}`,
		`op://AI/${"q".repeat(26)}/${name}`,
	].map((reference) => ({ kind: "spoilt reference", reference }));
}

// ---- what is the same -----------------------------------------------------

// A private key as OpenSSH has it, with its two check numbers, which may be
// any equal ones, made 0.  Undefined when the numbers differ.
function settled(pem) {
	const lines = pem.split("\n");
	const bytes = Buffer.from(lines.filter((l) => !/^-/.test(l)).join(""),
		"base64");
	let at = "openssh-key-v1\0".length;
	const skip = () => { at += 4 + bytes.readUInt32BE(at); };
	skip();                         // cipher
	skip();                         // how its key is derived
	skip();                         // with what
	at += 4;                        // the number of keys
	skip();                         // public key
	at += 4;                        // length of what follows
	if (bytes.readUInt32BE(at) !== bytes.readUInt32BE(at + 4))
		return undefined;
	bytes.fill(0, at, at + 8);
	return `${lines.map((l) => l.length)} ${bytes.toString("hex")}`;
}

const isSame = (kind, theirs, ours) => Buffer.from(theirs).equals(
	Buffer.from(ours)) || (kind === "OpenSSH key" &&
	settled(theirs) !== undefined && settled(theirs) === settled(ours));

// "value" or "refusal" when both gave the same; else what each of them did.
function verdict(kind, theirs, ours) {
	if (theirs.value !== undefined && ours.value !== undefined)
		return isSame(kind, theirs.value, ours.value) ? "value" :
			"other bytes";
	if (theirs.value !== undefined)
		return `opmcp: ${ours.refused}`;
	const [type, text, ...words] = refusals.find(([t, x]) =>
		theirs.refused === t || theirs.refused.includes(x)) ?? [];
	if (ours.value !== undefined)
		return `SDK: ${type || text || "refused"}`;
	return words.includes(ours.refused) ? "refusal" :
		`opmcp: ${ours.refused}, SDK: ${type || text || "refused"}`;
}

// What the SDK says of these references, asked for many at a time; nothing of
// those of which it does not tell what is wrong with them.
async function resolveAll(w, todo) {
	const answers = new Map();
	for (let i = 0; i < todo.length; i += BATCH) {
		const refs = todo.slice(i, i + BATCH).map((t) => t.reference);
		const { individualResponses: is } =
			await w.client.secrets.resolveAll([...new Set(refs)]);
		for (const [ref, { content, error }] of Object.entries(is))
			if (error?.type !== "other")
				answers.set(ref, content ?
					{ value: content.secret } :
					{ refused: error.type });
	}
	return answers;
}

// Compares one reference and notes the outcome under its kind.  A code may
// have changed between the two answers, so it is read again.
async function compare(w, { where, kind, reference }, known) {
	const once = async () => {
		const [theirs, ours] = await Promise.all([
			known ?? w.resolve(reference),
			w.call("read_secret", { reference })]);
		w.calls++;
		return { is: verdict(kind, theirs, ours), word: ours.refused };
	};
	let { is, word } = await once();
	if (is === "other bytes" && kind === "one-time code")
		({ is, word } = await once());
	const k = w.kinds.get(kind) ?? { values: 0, refusals: 0, wrong: [] };
	w.kinds.set(kind, k);
	if (is === "value")
		k.values++;
	else if (is === "refusal")
		k.refusals++;
	else
		k.wrong.push(`${where}: ${is}`);
	if (is === "refusal")
		w.words.add(word);
}

// ---- the run ---------------------------------------------------------------

// Runs work(element) for all elements, some of them at a time.
async function each(list, work) {
	const todo = list.values();
	const worker = async () => {
		for (const one of todo)
			await work(one);
	};
	await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
}

// One item: its category, and what there is to compare of it.  References
// that get_item gives out must be good for the SDK as well.
async function oneItem(w, overview, index) {
	const item = await w.items.get(w.vault, overview.id);
	const look = await w.call("get_item", { item: item.id, vault: "AI" });
	if (look.refused || look.category !== item.category ||
	    look.fields.length < item.fields.length)
		w.looks.push(`${item.id}: ${look.refused ?? "differs"}`);
	w.looked++;
	const todo = references(w.vault, item);
	for (const { reference } of look.fields ?? [])
		if (reference !== undefined)
			todo.push({ kind: "reference of get_item", reference });
	if (index < BROKEN)
		todo.push(...spoilt(w.vault, item));
	for (const [i, one] of todo.entries())
		w.todo.push({ where: `${item.id} ${i}`, ...one });
}

// Items that the SDK lists but does not open, by resolve() only: a single one
// fails all of a resolveAll().
async function archived(w) {
	const gone = await w.items.list(w.vault, { type: "ByState",
		content: { active: false, archived: true } });
	for (const { id } of gone.slice(0, 20))
		await compare(w, { where: id, kind: "archived item",
			reference: `op://AI/${id}/username` });
}

// All references, with what the SDK says of many of them at a time; codes,
// which change, and a sample of the others one by one.
async function compareAll(w) {
	const answers = await resolveAll(w, w.todo.filter((t) =>
		t.kind !== "one-time code"));
	await each(w.todo.filter((t) => answers.has(t.reference)),
		(t) => compare(w, t, answers.get(t.reference)));
	for (const [i, t] of w.todo.entries())
		if (i % SAMPLE === 0 || !answers.has(t.reference) ||
		    t.kind === "spoilt reference")
			await compare(w, t);
}

// The kinds in the order they are told, and those of which a random account
// of this size always has some that can be read.
const usual = ["Text", "Concealed", "CreditCardType", "CreditCardNumber",
	"Phone", "Url", "Totp", "Email", "Reference", "Menu", "MonthYear",
	"Date", "Address", "SshKey", "notes", "usual name", "item by title",
	"one-time code", "OpenSSH key", "fact of a key", "file", "document",
	"reference of get_item"];
const neverRead = ["spoilt reference", "archived item", "Unsupported"];

function report(w, n) {
	let compared = 0;
	for (const kind of [...usual, ...neverRead]) {
		const k = w.kinds.get(kind) ?? { values: 0, refusals: 0,
			wrong: [] };
		const some = neverRead.includes(kind) ? k.refusals :
			n < 300 ? 1 : k.values;
		compared += k.values + k.refusals;
		check(`${kind}: ${k.values} values and ${k.refusals} ` +
			"refusals are the SDK's", some > 0 &&
			k.wrong.length === 0, `${k.wrong.length} differ: ` +
			k.wrong.slice(0, 8).join("; "));
	}
	const others = [...w.kinds.keys()].filter((k) => !usual.includes(k) &&
		!neverRead.includes(k));
	check("no kind of field but these", others.length === 0,
		others.join());
	return compared;
}

await runInside(fileURLToPath(import.meta.url), 600, async () => {
	const seed = process.env.SEED ?? String(Date.now() % 1e6);
	const n = Number(process.env.N ?? 300);
	const start = performance.now();
	console.log(`random.mjs: SEED=${seed} N=${n}`);
	const w = Object.assign(await open(["--random", seed, String(n)],
		{ OPMCP_REFERENCES: "strict", OPMCP_VAULTS: "*" },
		["permit reveal field *"]), { kinds: new Map(), todo: [],
		words: new Set(), looks: [], looked: 0, calls: 0 });
	for (const [i, overview] of (await w.items.list(w.vault)).entries())
		await oneItem(w, overview, i);
	await compareAll(w);
	await archived(w);
	check(`get_item: ${w.looked} items have the SDK's category and all ` +
		"its fields", w.looked >= n * 3 / 4 && w.looks.length === 0,
		w.looks.slice(0, 8).join("; "));
	const compared = report(w, n);
	check(`opmcp says why in the SDK's sense: ${w.words.size} errors`,
		w.words.size >= 12, [...w.words].join());
	check(`${compared} references compared`, compared > w.looked * 10 &&
		compared <= w.calls);
	check("nothing but answers on opmcp's stdout",
		w.opmcp.wrong.length === 0, w.opmcp.wrong.join("; "));
	await w.close();
	console.log(`random.mjs: ${w.looked} items, ${compared} references, ` +
		`${Math.round((performance.now() - start) / 1000)} s`);
});
