// SPDX-License-Identifier: MIT
//
// An MCP server whose tool the Inspector must complain about: BAD in the
// environment says how bad it is, "unusual" or "unusable".

import readline from "node:readline";

const property = process.env.BAD === "unusual" ? 
	{ type: ["string", "null"] } : true;
const tool = { name: "unportable", description: "Is not portable.",
	inputSchema: { type: "object", properties: { x: property } } };
const results = {
	"initialize": { protocolVersion: "2025-11-25",
		capabilities: { tools: {} },
		serverInfo: { name: "unportable", version: "1" } },
	"tools/list": { tools: [tool] },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
	const { id, method } = JSON.parse(line);
	if (id !== undefined)
		console.log(JSON.stringify({ jsonrpc: "2.0", id,
			result: results[method] ?? {} }));
}
