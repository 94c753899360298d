// SPDX-License-Identifier: MIT
//
// The official MCP clients, made alike: the newer one in each of its modes,
// the newest of the older line and, where test/interop/old is installed, one
// of that line for each revision.  The rest of the scripts need not know
// which one they have.

import fs from "node:fs";
import path from "node:path";
import { Client as ClientV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 }
	from "@modelcontextprotocol/client/stdio";
import { Client as ClientV1 }
	from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioV1 }
	from "@modelcontextprotocol/sdk/client/stdio.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { goneAfter, hasOld, processes, root, said } from "./checks.mjs";
import { load, revisions } from "./old/clients.mjs";

export const GONE_MS = 1500;    // from close() to the last process' end

const packages = path.join(root, "test/interop/node_modules");
const me = { name: "opmcp interop test", version: "1.0.0" };

const version = (name) => JSON.parse(fs.readFileSync(path.join(packages,
	"@modelcontextprotocol", name, "package.json"), "utf8")).version;

// A kind of client:
//
//   label, era, revision  what it is and must negotiate
//   make(capabilities)    a client that declares them
//   Transport             its stdio
//   form                  the capability that declares forms, or undefined
//   onForm(c, answer)     forms are answered by answer(params, signal); the
//                         signal tells that no answer is wanted any more
//   call(c, ...)          a tool is called, with the options of a request
//   against(c, ...)       the same, checked against another schema; or
//                         undefined: it does not check
function newer(label, mode, era) {
	return {
		label: `client ${version("client")}, ${label}`, era,
		revision: era === "modern" ? "2026-07-28" : "2025-11-25",
		make: (capabilities) => new ClientV2(me, { capabilities,
			versionNegotiation: { mode } }),
		Transport: StdioV2,
		form: { form: {} },
		onForm: (c, answer) => c.setRequestHandler(
			"elicitation/create", ({ params }, { mcpReq }) =>
				answer(params, mcpReq.signal)),
		call: (c, params, options) => c.callTool(params, options),
		against: (c, params, tool) =>
			c.callTool(params, { toolDefinition: tool }),
	};
}

function older(name, revision, { Client, Transport, Elicit }) {
	const against = (c, params, tool) => {
		(c.cacheToolMetadata ?? c.cacheToolOutputSchemas)
			.call(c, [tool]);
		return c.callTool(params);
	};
	return {
		label: `sdk ${name}`, era: "legacy", revision,
		make: (capabilities) => new Client(me, { capabilities }),
		Transport,
		form: Elicit && (revision < "2025-11-25" ? {} : { form: {} }),
		onForm: (c, answer) => c.setRequestHandler(Elicit,
			({ params }, { signal }) => answer(params, signal)),
		call: (c, params, options) =>
			c.callTool(params, undefined, options),
		against: revision < "2025-06-18" ? undefined : against,
	};
}

export const kinds = [
	newer("legacy", "legacy", "legacy"),
	newer("auto", "auto", "modern"),
	newer("modern", { pin: "2026-07-28" }, "modern"),
	older(version("sdk"), "2025-11-25", { Client: ClientV1,
		Transport: StdioV1, Elicit: ElicitRequestSchema }),
];
if (hasOld)
	for (const [name, revision] of Object.entries(revisions))
		kinds.push(older(name, revision, await load(name)));
else
	console.log("note: without the older clients; test/interop/old is " +
		"not installed");

// How a promise ended and after how many milliseconds.
export async function ended(promise) {
	const start = performance.now();
	const end = await promise.then((value) => ({ value }),
		(error) => ({ error }));
	return { ...end, ms: performance.now() - start };
}

// Keeps every message that arrives.  Not by a class of its own: the newer
// client starts another process for its probe only with its own class.
function tap(transport) {
	const received = [];
	let handler;
	Object.defineProperty(transport, "onmessage", {
		get: () => handler,
		set(f) {
			handler = f && ((message, ...rest) => {
				received.push(message);
				return f(message, ...rest);
			});
		},
	});
	return received;
}

// Connects; { client, received, errors, revision, instructions, stderr(),
// running(), close() }.  close() resolves to the milliseconds until no
// process is left, the client's probes included.  With `answer` the client
// declares forms and answers them so.
export async function connect(kind, command, env, answer) {
	const client = kind.make(answer ? { elicitation: kind.form } : {});
	const transport = new kind.Transport({ command, env, stderr: "pipe" });
	const received = tap(transport);
	const errors = [];
	let stderr = "";
	if (answer)
		kind.onForm(client, answer);
	client.onerror = (e) => errors.push(said(e));
	const connected = client.connect(transport);
	transport.stderr.on("data", (b) => { stderr += b; });
	await connected;
	const hello = received.find((m) => m.result?.protocolVersion)?.result;
	return {
		client, received, errors,
		revision: client.getNegotiatedProtocolVersion?.() ??
			hello?.protocolVersion,
		instructions: client.getInstructions?.() ??
			hello?.instructions,
		stderr: () => stderr,
		running: () => processes(command).length,
		async close() {
			const start = performance.now();
			await client.close();
			return goneAfter(command, start, GONE_MS);
		},
	};
}
