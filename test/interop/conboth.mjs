// SPDX-License-Identifier: MIT
//
// The official client of 1Password Connect and opmcp side by side: both use
// one Connect server, with the same token, so that what one of them says of an
// item can be held against what the other says.
//
// What is known to differ: dates (seconds since 1970 there, YYYY-MM-DD here)
// and months (YYYYMM there, MM/YYYY here).  A field of a type that Connect has
// no word for, a date without a value and a number that is no date are
// field_unsupported in opmcp.  get_item leaves out characters that do not show,
// and calls a field without a label by its id.  A reference takes a field's id
// or label; one that means two of them is field_ambiguous.

import fs from "node:fs";
import path from "node:path";
import { OnePasswordConnect } from "@1password/connect";
import { Asker } from "./both.mjs";
import { check, settings } from "./checks.mjs";
import { startStandin } from "./sdk.mjs";

const TURN_TRIES = 3;           // a code may turn between two answers

// opmcp's names for Connect's categories, where it is not the same word in
// another spelling, and for its types of fields.
const categories = { API_CREDENTIAL: "ApiCredentials", EMAIL_ACCOUNT: "Email",
	WIRELESS_ROUTER: "Router", REWARD_PROGRAM: "Rewards",
	CUSTOM: "Unsupported" };
const kinds = { STRING: "Text", CONCEALED: "Concealed", URL: "Url",
	EMAIL: "Email", PHONE: "Phone", MENU: "Menu", GENDER: "Text",
	CREDIT_CARD_TYPE: "CreditCardType", REFERENCE: "Reference",
	CREDIT_CARD_NUMBER: "CreditCardNumber", DATE: "Date",
	MONTH_YEAR: "MonthYear", ADDRESS: "Address", SSHKEY: "SshKey",
	OTP: "Totp", UNKNOWN: "Unsupported", SSO_LOGIN: "Unsupported" };
const unsupported = ["UNKNOWN", "SSO_LOGIN"];

const inWords = (word) => word.toLowerCase().replace(/(?:^|_)([a-z])/g,
	(_, c) => c.toUpperCase());
export const categoryOf = (item) => categories[item.category] ??
	inWords(item.category);
const kindOf = (f) => f.purpose === "NOTES" ? "Notes" :
	f.purpose === "PASSWORD" ? "Concealed" : kinds[f.type];

const YEAR_1 = -62135596800;    // seconds since 1970
const YEAR_3000 = 32503680000;

// A value as opmcp gives it, from the one that the client gives; undefined:
// opmcp has none.  A month's year can have two digits; what is no date is
// given as it is.
export function valueOf(f) {
	const n = f.value ? Number(f.value) : NaN;
	if (unsupported.includes(f.type))
		return undefined;
	if (f.type === "DATE")
		return n >= YEAR_1 && n < YEAR_3000 ? new Date(n * 1000)
			.toISOString().replace(/T.*/, "") :
			f.value || undefined;
	if (f.type !== "MONTH_YEAR")
		return f.value ?? "";
	const year = Math.floor(n / 100);
	const month = n % 100;
	return n > 0 && n < 1e6 && month >= 1 && month <= 12 ?
		`${String(month).padStart(2, "0")}/${String(year +
			(year < 100 ? 2000 : 0)).padStart(4, "0")}` :
		f.value || undefined;
}

// A text as get_item shows it.
export const shown = (s) => s?.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "");

// ---- one item --------------------------------------------------------------

// Notes one comparison of this kind.
export function note(w, kind, where, wrong) {
	const k = w.kinds.get(kind) ?? { n: 0, wrong: [] };
	w.kinds.set(kind, k);
	k.n++;
	if (wrong)
		k.wrong.push(`${where}: ${wrong}`);
}

// What get_item says that the client does not; names of members only.
function lookAt(item, look) {
	if (look.refused)
		return look.refused;
	const bad = [];
	const is = (name, theirs, ours) =>
		JSON.stringify(theirs) === JSON.stringify(ours) ||
		bad.push(name);
	const all = [...item.fields ?? [], ...item.files ?? []];
	is("title", shown(item.title ?? ""), shown(look.title));
	is("category", categoryOf(item), look.category);
	is("tags", item.tags ?? [], look.tags ?? []);
	is("urls", (item.urls ?? []).map((u) => u.href), look.websites ?? []);
	is("version", item.version, look.version);
	is("created", item.createdAt?.getTime(), Date.parse(look.created_at));
	is("updated", item.updatedAt?.getTime(), Date.parse(look.updated_at));
	is("fields", all.length, look.fields.length);
	for (const [i, f] of all.entries()) {
		const ours = look.fields[i] ?? {};
		const section = item.sections?.find((s) =>
			s.id === f.section?.id);
		is(`label ${i}`, shown(f.purpose === "NOTES" ? "notes" :
			f.label || f.name || f.id), shown(ours.label));
		is(`kind ${i}`, f.content_path ? "File" : kindOf(f), ours.kind);
		is(`section ${i}`, shown(section?.label ?? ""),
			shown(ours.section ?? ""));
		if (ours.value !== undefined)
			is(`value ${i}`, shown(valueOf(f) ?? ""),
				shown(ours.value));
		if (f.content_path)
			is(`size ${i}`, f.size, ours.size);
	}
	return bad.join();
}

// Do other fields have this one's id, or it for a label?  Without a section all
// fields of the item count.
function isShared(item, f) {
	const name = f.id.toLowerCase();
	return item.fields.filter((x) => (!f.section?.id ||
		x.section?.id === f.section.id) &&
		[x.id, x.label].some((s) => s?.toLowerCase() === name))
		.length > 1;
}

// One field, by its id.
async function oneField(w, item, f) {
	const base = `op://${item.vault.id}/${item.id}/` +
		`${f.section?.id ? `${f.section.id}/` : ""}${f.id}`;
	const where = `${item.id} ${f.id}`;
	const ours = await w.call("read_secret", { reference: base });
	const value = valueOf(f);
	if (ours.refused === "field_ambiguous" && isShared(item, f)) {
		note(w, "shared name", where);
		return;
	}
	note(w, f.purpose || f.type, where, (value === undefined ?
		ours.refused !== "field_unsupported" : ours.value !== value) &&
		(ours.refused ?? "other bytes"));
	if (f.type === "OTP")
		note(w, "one-time code", where, await code(w, item, f, base));
}

// A code, read again by both when it differs: it may have turned between the
// two.  A secret of which there is none is refused by both.
async function code(w, item, f, base) {
	let ours;
	for (let i = 0; i < TURN_TRIES; i++) {
		const { fields } = await w.client.getItemById(item.vault.id,
			item.id);
		const { otp } = fields.find((x) => x.id === f.id &&
			x.section?.id === f.section?.id);
		ours = await w.call("read_secret",
			{ reference: `${base}?attribute=otp` });
		if (otp ? ours.value === otp : ours.refused === "totp_invalid")
			return "";
	}
	return ours.refused ?? "another code";
}

// One file, as bytes.  opmcp gives out only what is text.
async function oneFile(w, item, file) {
	const parts = [];
	for await (const part of await w.client.getFileContentStream(
		item.vault.id, item.id, file.id))
		parts.push(part);
	const theirs = Buffer.concat(parts);
	const ours = await w.call("read_secret", { reference:
		`op://${item.vault.id}/${item.id}/${file.id}` });
	const text = theirs.toString("utf8");
	const isText = Buffer.from(text).equals(theirs);
	note(w, isText ? "text file" : "other file", `${item.id} ${file.id}`,
		(isText ? ours.value !== text :
			ours.refused !== "file_not_text") &&
		(ours.refused ?? "other bytes"));
}

// A reference that get_item gave out for a field.
async function given(w, item, f, reference) {
	const ours = await w.call("read_secret", { reference });
	note(w, "reference of get_item", `${item.id} ${f.id}`,
		ours.value !== valueOf(f) && (ours.refused ?? "other bytes"));
}

// One item, with all that is in it.
export async function oneItem(w, vault, id) {
	const item = await w.client.getItemById(vault, id);
	const look = await w.call("get_item", { item: id, vault });
	note(w, "item", id, lookAt(item, look));
	for (const [i, f] of (item.fields ?? []).entries()) {
		const { reference } = look.fields?.[i] ?? {};
		if (reference)
			await given(w, item, f, reference);
		await oneField(w, item, f);
	}
	for (const file of item.files ?? [])
		await oneFile(w, item, file);
}

// One check for each kind that was noted.
export function report(w, label) {
	for (const [kind, { n, wrong }] of [...w.kinds].sort())
		check(`${label}: ${kind}: ${n} are the client's`,
			wrong.length === 0, `${wrong.length} differ: ` +
			wrong.slice(0, 8).join("; "));
}

// ---- both of them ----------------------------------------------------------

// The stand-in, started with args, and both that use it; opmcp at the URL that
// front makes of the server's.
export async function open(w, args, front = (url) => url) {
	const standin = await startStandin(args, w.standin);
	const serverURL = await front(standin.connect);
	for (const name of Object.keys(process.env))
		if (/_proxy$/i.test(name))
			delete process.env[name];       // the client's
	const policy = path.join(path.dirname(w.opmcp), "rules");
	fs.writeFileSync(policy, "permit reveal field *\n", { mode: 0o600 });
	const env = settings("", { OP_CONNECT_HOST: serverURL,
		OP_CONNECT_TOKEN: standin.connectToken, OPMCP_VAULTS: "*",
		OPMCP_REVEAL: "allow", OPMCP_WRITE: "allow",
		OPMCP_POLICY: policy, OPMCP_LOG: "error" });
	delete env.OP_SERVICE_ACCOUNT_TOKEN;
	const opmcp = new Asker(w.opmcp, env);
	await opmcp.open();
	return {
		standin, opmcp, kinds: new Map(),
		call: (name, more) => opmcp.call(name, more),
		client: OnePasswordConnect({ serverURL: standin.connect,
			token: standin.connectToken, keepAlive: true }),
		async close() {
			check("nothing but answers on opmcp's stdout",
				opmcp.wrong.length === 0,
				opmcp.wrong.join("; "));
			await opmcp.close();
			standin.stop();
		},
	};
}
