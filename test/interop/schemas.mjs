// SPDX-License-Identifier: MIT
//
// The official schema of each revision, as validators.
//
// schema.json of 2025-03-26 and later comes with the conformance suite, which
// has them in its bundle as JavaScript literals.  Of 2024-11-05 no package has
// schema.json, but the first SDK has it as types (old/schema.mjs).
//
// All are closed: a member that a definition does not name is refused, though
// the schemas as published let any in.  So what is sent to an old client is
// what its revision has.

import fs from "node:fs";
import vm from "node:vm";
import Ajv from "ajv";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { hasOld } from "./checks.mjs";

const bundles = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];
export const revisions = hasOld ? ["2024-11-05", ...bundles] : bundles;

const suite = fs.readFileSync(new URL("node_modules/@modelcontextprotocol/" +
	"conformance/dist/index.js", import.meta.url), "utf8");

// ---- where they come from -----------------------------------------------

// The object literal that begins at `from`, as text.
function literal(from) {
	let depth = 0;
	let quote = "";
	for (let i = from; i < suite.length; i++) {
		const c = suite[i];
		if (quote !== "") {
			if (c === "\\")
				i++;
			else if (c === quote)
				quote = "";
		} else if ("`\"'".includes(c)) {
			quote = c;
		} else if (c === "{") {
			depth++;
		} else if (c === "}" && --depth === 0) {
			return suite.slice(from, i + 1);
		}
	}
	throw new Error("the suite has changed: no end of a schema");
}

// The suite's table {"2025-03-26":a,...,[the newest]:d} names variables, each
// of which is set to a literal elsewhere.
function bundled(revision) {
	const rows = bundles.slice(0, -1).map((b) => `"${b}":(\\w+),`);
	const table = new RegExp(`\\{${rows.join("")}\\[\\w+\\]:(\\w+)\\}`)
		.exec(suite);
	const name = table?.[bundles.indexOf(revision) + 1];
	const at = suite.indexOf(`${name}={$schema:`);
	if (name === undefined || at < 0)
		throw new Error("the suite has changed: no schemas");
	return vm.runInNewContext(`(${literal(at + name.length + 1)})`);
}

// ---- closed -------------------------------------------------------------

// Objects whose members are not the protocol's to name.
const open = ["inputSchema", "outputSchema", "structuredContent", "data",
	"result", "experimental"];

const mapped = (o, f) => Object.fromEntries(Object.entries(o).map(
	([name, value]) => [name, f(value, name)]));

// A schema that refuses unknown members, wherever it says which there are and
// does not expressly want more.  A part of allOf knows only a part of them.
function closed(schema, name) {
	const s = { ...schema };
	if (typeof schema !== "object" || open.includes(name))
		return schema;
	for (const all of ["properties", "definitions", "$defs"])
		if (s[all] !== undefined)
			s[all] = mapped(s[all], closed);
	for (const one of ["items", "additionalProperties"])
		if (s[one] !== undefined)
			s[one] = closed(s[one]);
	for (const some of ["anyOf", "oneOf"])
		if (s[some] !== undefined)
			s[some] = s[some].map((x) => closed(x));
	if (Object.keys(s.properties ?? {}).length > 0 &&
	    (s.additionalProperties ?? true) === true)
		s.additionalProperties = false;
	return s;
}

// ---- validators ---------------------------------------------------------

// { has(name), members(name), problems(name, value) } of a revision.
// problems() quotes nothing of the value but names of members.
export async function schema(revision) {
	const source = bundles.includes(revision) ? bundled(revision) :
		(await import("./old/schema.mjs")).schema;
	const key = source.$defs ? "$defs" : "definitions";
	const id = `mcp://${revision}/schema.json`;
	const ajv = new (source.$defs ? Ajv2020 : Ajv)(
		{ strict: false, allErrors: true });
	addFormats(ajv);
	ajv.addSchema({ ...closed(source), $id: id });
	const say = (name, e) => `${name}${e.instancePath}: ${e.message}` +
		(e.params.additionalProperty === undefined ? "" :
		` (${e.params.additionalProperty})`);
	const validators = new Map();
	const validator = (name) => {
		if (!validators.has(name))
			validators.set(name, ajv.compile(
				{ $ref: `${id}#/${key}/${name}` }));
		return validators.get(name);
	};
	return {
		has: (name) => Object.hasOwn(source[key], name),
		members: (name) => source[key][name].properties ?? {},
		problems(name, value) {
			const valid = validator(name);
			return valid(value) ? [] : valid.errors.slice(0, 4)
				.map((e) => say(name, e));
		},
	};
}
