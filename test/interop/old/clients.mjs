// SPDX-License-Identifier: MIT
//
// Clients of the older line: for each revision of the legacy era the last, or
// nearly the last, that asked for it.

export const revisions = {
	"1.0.4": "2024-11-05",
	"1.11.5": "2025-03-26",
	"1.17.5": "2025-06-18",
	"1.24.3": "2025-11-25",
};

// { Client, Transport, Elicit } of one; Elicit is the schema that names
// elicitation/create, undefined before there was such a thing.
export async function load(version) {
	const sdk = `mcp-${version}`;
	const { Client } = await import(`${sdk}/client/index.js`);
	const { StdioClientTransport } =
		await import(`${sdk}/client/stdio.js`);
	const { ElicitRequestSchema } = await import(`${sdk}/types.js`);
	return { Client, Transport: StdioClientTransport,
		Elicit: ElicitRequestSchema };
}
