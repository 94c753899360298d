// SPDX-License-Identifier: MIT
//
// A server on pipes, line by line, with no MCP client in between.

import { spawn } from "node:child_process";
import { said } from "./checks.mjs";

// Starts the binary.  `online` gets the text of each line of its stdout, which
// must be UTF-8 without a mistake; what it throws is kept in `wrong`.
export class Wire {
	#child;
	#rest = [];             // of a line that has not ended
	#online;
	stderr = "";
	wrong = [];
	ended;                  // resolves to the exit status

	constructor(binary, env, online) {
		this.#online = online;
		this.#child = spawn(binary, [], { env });
		this.ended = new Promise((resolve) =>
			this.#child.on("close", resolve));
		this.#child.on("error", (e) => this.wrong.push(said(e)));
		this.#child.stdin.on("error", () => {});
		this.#child.stderr.setEncoding("utf8");
		this.#child.stderr.on("data", (s) => { this.stderr += s; });
		this.#child.stdout.on("data", (b) => this.#bytes(b));
		this.#child.stdout.on("end", () => {
			if (this.#rest.length > 0)
				this.wrong.push("a line without an end");
		});
	}

	#bytes(bytes) {
		let from = 0;
		for (;;) {
			const end = bytes.indexOf(10, from);
			if (end < 0)
				break;
			this.#line(Buffer.concat([...this.#rest,
				bytes.subarray(from, end)]));
			this.#rest = [];
			from = end + 1;
		}
		if (from < bytes.length)
			this.#rest.push(bytes.subarray(from));
	}

	#line(bytes) {
		try {
			const utf8 = new TextDecoder("utf-8",
				{ fatal: true, ignoreBOM: true });
			this.#online(utf8.decode(bytes));
		} catch (e) {
			this.wrong.push(said(e));
		}
	}

	// One line: text, or bytes as they are.
	write(line) {
		this.#child.stdin.write(line);
		this.#child.stdin.write("\n");
	}

	send(message) {
		this.write(JSON.stringify({ jsonrpc: "2.0", ...message }));
	}

	// Ends stdin; resolves to the exit status.
	close() {
		this.#child.stdin.end();
		return this.ended;
	}
}
