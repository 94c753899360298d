// SPDX-License-Identifier: MIT
//
// The official SDK and opmcp side by side: both signed in to one stand-in,
// with the same token, so that what one of them says can be held against
// what the other says.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { binaries, root, run, settings } from "./checks.mjs";
import { cageNetwork, renamed, startStandin, unlist } from "./sdk.mjs";
import { Wire } from "./wire.mjs";

// opmcp on pipes, asked by JSON-RPC.
export class Asker {
	#wire;
	#waiting = new Map();
	#id = 0;

	constructor(binary, env) {
		this.#wire = new Wire(binary, env, (text) => {
			const m = JSON.parse(text);
			this.#waiting.get(m.id)?.(m);
			this.#waiting.delete(m.id);
		});
		this.#wire.ended.then(() => {
			for (const answer of this.#waiting.values())
				answer({ error: { message: "opmcp ended" } });
		});
	}

	get wrong() { return this.#wire.wrong; }

	#request(method, params) {
		const id = ++this.#id;
		return new Promise((resolve) => {
			this.#waiting.set(id, resolve);
			this.#wire.send({ id, method, params });
		});
	}

	async open() {
		const { result } = await this.#request("initialize", {
			protocolVersion: "2025-11-25", capabilities: {},
			clientInfo: { name: "opmcp interop", version: "1" },
		});
		if (result === undefined)
			throw new Error("opmcp did not start");
		this.#wire.send({ method: "notifications/initialized" });
	}

	// What a tool answers, or { refused: its word for why not }.
	async call(name, args) {
		const { result, error } = await this.#request("tools/call",
			{ name, arguments: args });
		if (result && result.isError !== true)
			return result.structuredContent;
		const text = result?.content?.[0]?.text ?? error?.message;
		return { refused: /^[a-z_]*/.exec(text)[0] || "error" };
	}

	close() { return this.#wire.close(); }
}

// The stand-in, started with args; the SDK's client; opmcp, with these
// settings and rules; and what a script needs of each.  resolve() gives the
// value of a secret reference, or { refused: the SDK's words }.
export async function open(args, env, rules) {
	const { opmcp: binary, standin: at } = binaries();
	const standin = await startStandin(args, at);
	const policy = path.join(path.dirname(binary), "rules");
	cageNetwork(standin.port);
	fs.writeFileSync(policy, rules.map((r) => `${r}\n`).join(""),
		{ mode: 0o600 });
	const opmcp = new Asker(binary, settings(standin.token,
		{ OPMCP_LOG: "error", OPMCP_POLICY: policy, ...env }));
	const { createClient } = await import("@1password/sdk");
	const client = await createClient({
		auth: renamed(standin.token),
		integrationName: "opmcp interop test",
		integrationVersion: "v1.0.0",
	});
	const vaults = await client.vaults.list();
	await opmcp.open();
	return {
		standin, client, items: client.items, opmcp,
		vault: vaults.find((v) => v.title === "AI").id,
		call: (name, more) => opmcp.call(name, more),
		resolve: (reference) => client.secrets.resolve(reference)
			.then((value) => ({ value }),
			(e) => ({ refused: String(e?.message ?? e) })),
		// An item of the vault AI as it is stored, both texts as they
		// were encrypted.
		async stored(id) {
			const [, template, state, version, over, details] =
				(await standin.ask(`dump\tAI\t${id}`))
				.split("\t").map(unlist);
			return { template, state, version: Number(version),
				over, details };
		},
		async close() {
			await opmcp.close();
			standin.stop();
		},
	};
}

// Runs the checks of a script, given by its path, in a child process, for the
// reason that sdk.mjs gives.
export async function runInside(self, seconds, work) {
	if (process.argv[4] === "inside") {
		await run(path.basename(self), seconds, work);
		return;
	}
	const [opmcp, standin] = process.argv.slice(2);
	const { status } = spawnSync(process.execPath, [self,
		opmcp ?? path.join(root, "opmcp"),
		standin ?? path.join(root, "test/build/standin"), "inside"],
		{ stdio: "inherit", env: { ...process.env,
			NODE_EXTRA_CA_CERTS: path.join(root,
				"test/pki/ca.pem") } });
	process.exit(status ?? 1);
}
