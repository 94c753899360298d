// SPDX-License-Identifier: MIT
//
// The schema of 2024-11-05, made of the zod types in which the first SDK
// wrote it down.

import * as types from "mcp-1.0.4/types.js";
import { zodToJsonSchema } from "zod-to-json-schema";

const definitions = {};
for (const [name, type] of Object.entries(types))
	if (name.endsWith("Schema"))
		definitions[name.slice(0, -"Schema".length)] =
			zodToJsonSchema(type, { $refStrategy: "none" });

// The revision has instructions, which the first SDK did not know yet; and
// annotations of tools came later, but opmcp gives them to all, as hosts
// ignore what they do not know.
definitions.InitializeResult.properties.instructions = { type: "string" };
definitions.ListToolsResult.properties.tools.items.properties.annotations =
	{ type: "object" };

export const schema = { definitions };
