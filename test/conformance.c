/* SPDX-License-Identifier: MIT
 *
 * conformance.c: opmcp with the catalogue that the official conformance suite
 * of MCP asks servers to have, in place of its own. Door and keeper are the
 * program's: what passes here passes there. It speaks stdio, as opmcp does;
 * test/interop/bridge.mjs gives it the URL that the suite wants.
 *
 *	cc -std=c11 -g -o conformance test/conformance.c -lbearssl
 *
 * Names, texts and schemas are the suite's and are not explained here; what
 * a fixture is for stands in the description of its scenario, which
 * "conformance list" names. It needs no token and reads no settings.
 */
#define main opmcp_main
#include "../opmcp.c"
#undef main

#define TEXT(t) "\"content\":[{\"type\":\"text\",\"text\":\"" t "\"}]"

/* A picture of one point, and a sound of one sample. */
#define IMAGE "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8" \
	"DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
#define SOUND "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQIAAAAAAA=="
#define IMAGE_BLOCK "{\"type\":\"image\",\"data\":\"" IMAGE "\"," \
	"\"mimeType\":\"image/png\"}"
#define TEXT_BLOCK(t) "{\"type\":\"text\",\"text\":\"" t "\"}"
#define USER(block) "{\"role\":\"user\",\"content\":" block "}"

/* The params of the call under way. */
static uint32_t
fixture_params(struct keeper *k)
{
	return json_get(k->asking.j, ROOT, S("params"));
}

/* The name of the tool or prompt, or the uri, of the call under way. */
static struct str
fixture_name(struct keeper *k)
{
	uint32_t params = fixture_params(k);
	struct str name = NOTHING;

	if (!json_get_str(k->asking.j, params, S("name"), &name))
		(void)!json_get_str(k->asking.j, params, S("uri"), &name);
	return name;
}

/* Let some time pass, unless the call is cancelled meanwhile. */
MUST static bool
fixture_wait(struct keeper *k, uint64_t ms, struct err *e)
{
	struct err done = { 0 };
	struct pollfd pfd[1];

	(void)!os_wait(k->os, pfd, 0, k->os->now_ms() + ms, &done);
	return done.code == E_TIMEOUT || err_set(e, done.code, done.what, 0);
}

/* ---- results that are always the same --------------------------------- */

static const struct constant {
	const char *name, *result;
} constants[] = {
	{ "test_simple_text",
	    TEXT("This is a simple text response for testing.") },
	{ "test_image_content", "\"content\":[" IMAGE_BLOCK "]" },
	{ "test_audio_content", "\"content\":[{\"type\":\"audio\",\"data\":\""
	    SOUND "\",\"mimeType\":\"audio/wav\"}]" },
	{ "test_embedded_resource", "\"content\":[{\"type\":\"resource\","
	    "\"resource\":{\"uri\":\"test://embedded-resource\","
	    "\"mimeType\":\"text/plain\","
	    "\"text\":\"This is an embedded resource content.\"}}]" },
	{ "test_multiple_content_types", "\"content\":["
	    TEXT_BLOCK("Multiple content types test:") "," IMAGE_BLOCK ","
	    "{\"type\":\"resource\",\"resource\":{"
	    "\"uri\":\"test://mixed-content-resource\","
	    "\"mimeType\":\"application/json\","
	    "\"text\":\"{\\\"test\\\":\\\"data\\\",\\\"value\\\":123}\"}}]" },
	{ "json_schema_2020_12_tool", TEXT("It is only listed.") },
	{ "test_prompt_with_image", "\"messages\":[" USER(IMAGE_BLOCK) ","
	    USER(TEXT_BLOCK("Please analyze the image above.")) "]" },
	{ "test://static-text", "\"contents\":[{"
	    "\"uri\":\"test://static-text\",\"mimeType\":\"text/plain\","
	    "\"text\":\"This is the content of the static text resource.\"}]" },
	{ "test://static-binary", "\"contents\":[{"
	    "\"uri\":\"test://static-binary\",\"mimeType\":\"image/png\","
	    "\"blob\":\"" IMAGE "\"}]" },
	{ "test://watched-resource", "\"contents\":[{"
	    "\"uri\":\"test://watched-resource\",\"mimeType\":\"text/plain\","
	    "\"text\":\"It never changes.\"}]" },
};

MUST static bool
constant_put(struct keeper *k, struct jw *w, struct err *e)
{
	struct str name = fixture_name(k);

	for (size_t i = 0; i < LEN(constants); i++)
		if (str_eq(name, str_c(constants[i].name))) {
			jw_raw(w, str_c(constants[i].result));
			return true;
		}
	return fail(e, E_INTERNAL, "no such constant");
}

/* Of a tool or a prompt, and of a resource. */
MUST static bool
constant_run(struct keeper *k, const struct json *j, uint32_t args,
    struct jw *w, struct err *e)
{
	(void)j;
	(void)args;
	return constant_put(k, w, e);
}

MUST static bool
constant_read(struct keeper *k, struct str uri, const struct str *var,
    struct jw *w, struct err *e)
{
	(void)uri;
	(void)var;
	return constant_put(k, w, e);
}

/* ---- notifications ---------------------------------------------------- */

/* May messages of level info be sent? A modern host says so with each request;
 * for a legacy one every level of logging/setLevel counts as enough. */
static bool
log_is_wanted(struct keeper *k)
{
	const struct json *j = k->asking.j;
	uint32_t meta = json_get(j, fixture_params(k), S("_meta"));

	return json_get(j, meta, S(META_VERSION)) == 0 ||
	    json_is_str(j, meta, S(META_LOG_LEVEL), S("info")) ||
	    json_is_str(j, meta, S(META_LOG_LEVEL), S("debug"));
}

MUST static bool
log_run(struct keeper *k, const struct json *j, uint32_t args, struct jw *w,
    struct err *e)
{
	static const char *const line[] = { "Tool execution started",
	    "Tool processing data", "Tool execution completed" };

	(void)j;
	(void)args;
	for (size_t i = 0; i < LEN(line); i++) {
		if (i > 0 && !fixture_wait(k, 50, e))
			return false;
		if (log_is_wanted(k))
			keep_note(k, S("message"), JOIN(&k->scratch,
			    S("\"level\":\"info\",\"data\":\""),
			    str_c(line[i]), S("\"")));
	}
	jw_raw(w, S(TEXT("Logged.")));
	return true;
}

/* Slow enough for each note to be passed on. */
MUST static bool
progress_run(struct keeper *k, const struct json *j, uint32_t args,
    struct jw *w, struct err *e)
{
	(void)j;
	(void)args;
	for (int i = 0; i < 3; i++) {
		if (!fixture_wait(k, NOTES_MS + 10, e))
			return false;
		keep_stage(k, "working");
	}
	jw_raw(w, S(TEXT("Done.")));
	return true;
}

MUST static bool
change_run(struct keeper *k, const struct json *j, uint32_t args, struct jw *w,
    struct err *e)
{
	(void)j;
	(void)args;
	(void)e;
	keep_note(k, str_eq(fixture_name(k), S("test_trigger_tool_change")) ?
	    S("tools/list_changed") : S("prompts/list_changed"), S(""));
	jw_raw(w, S(TEXT("Changed.")));
	return true;
}

/* ---- errors ----------------------------------------------------------- */

MUST static bool
error_run(struct keeper *k, const struct json *j, uint32_t args, struct jw *w,
    struct err *e)
{
	(void)k;
	(void)j;
	(void)args;
	(void)w;
	return fail(e, E_INTERNAL,
	    "This tool intentionally returns an error for testing");
}

/* ---- questions to the host -------------------------------------------- */

#define FORM(message, properties) "{\"method\":\"elicitation/create\"," \
	"\"params\":{\"message\":" message ",\"requestedSchema\":{" \
	"\"type\":\"object\",\"properties\":{" properties "}"
#define FORM_OF(message, name, type) FORM("\"" message "\"", \
	"\"" name "\":{\"type\":\"" type "\"}") \
	",\"required\":[\"" name "\"]}}}"
#define SAMPLE(prompt, tokens) "{\"method\":\"sampling/createMessage\"," \
	"\"params\":{\"messages\":[{\"role\":\"user\",\"content\":{" \
	"\"type\":\"text\",\"text\":" prompt "}}],\"maxTokens\":" tokens "}}"
#define ROOTS "{\"method\":\"roots/list\",\"params\":{}}"
#define USER_NAME "\"user_name\":" FORM_OF("What is your name?", "name", \
	"string")
#define CONFIRM "\"confirm\":" FORM_OF("Please confirm", "ok", "boolean")
#define TITLED(value, title) "{\"const\":\"" value "\",\"title\":\"" title "\"}"

/* What one tool or prompt asks in one round; a second row of the same name is
 * its second round. "$" in the questions stands for its only argument. keys
 * are those of the questions; all of them must be answered. The answer to the
 * first, or a text in its content, is put between before and after. stateless:
 * it is taken however it comes. */
static const struct round {
	const char *name, *keys, *questions, *before, *member, *after;
	bool stateless;
} rounds[] = {
	{ "test_sampling", "answer", "\"answer\":" SAMPLE("$", "100"),
	    "LLM response: ", "text", "", false },
	{ "test_elicitation", "user", "\"user\":" FORM("$",
	    "\"username\":{\"type\":\"string\",\"description\":"
	    "\"User's response\"},\"email\":{\"type\":\"string\","
	    "\"description\":\"User's email address\"}")
	    ",\"required\":[\"username\",\"email\"]}}}",
	    "User response: ", NULL, "", false },
	{ "test_elicitation_sep1034_defaults", "user", "\"user\":"
	    FORM("\"Please review\"",
	    "\"name\":{\"type\":\"string\",\"default\":\"John Doe\"},"
	    "\"age\":{\"type\":\"integer\",\"default\":30},"
	    "\"score\":{\"type\":\"number\",\"default\":95.5},"
	    "\"status\":{\"type\":\"string\",\"enum\":[\"active\","
	    "\"inactive\",\"pending\"],\"default\":\"active\"},"
	    "\"verified\":{\"type\":\"boolean\",\"default\":true}") "}}}",
	    "Elicitation completed: ", NULL, "", false },
	{ "test_elicitation_sep1330_enums", "user", "\"user\":"
	    FORM("\"Please choose\"",
	    "\"untitledSingle\":{\"type\":\"string\",\"enum\":[\"option1\","
	    "\"option2\",\"option3\"]},"
	    "\"titledSingle\":{\"type\":\"string\",\"oneOf\":["
	    TITLED("value1", "First Option") ","
	    TITLED("value2", "Second Option") ","
	    TITLED("value3", "Third Option") "]},"
	    "\"legacyEnum\":{\"type\":\"string\",\"enum\":[\"opt1\",\"opt2\","
	    "\"opt3\"],\"enumNames\":[\"Option One\",\"Option Two\","
	    "\"Option Three\"]},"
	    "\"untitledMulti\":{\"type\":\"array\",\"items\":{"
	    "\"type\":\"string\",\"enum\":[\"option1\",\"option2\","
	    "\"option3\"]}},"
	    "\"titledMulti\":{\"type\":\"array\",\"items\":{\"anyOf\":["
	    TITLED("value1", "First Choice") ","
	    TITLED("value2", "Second Choice") ","
	    TITLED("value3", "Third Choice") "]}}") "}}}",
	    "Elicitation completed: ", NULL, "", false },
	{ "test_missing_capability", "answer",
	    "\"answer\":" SAMPLE("\"Say something\"", "10"),
	    "", "text", "", false },
	{ "test_streaming_elicitation", "user_name", USER_NAME,
	    "Hello, ", "name", "!", false },
	{ "test_input_required_result_elicitation", "user_name", USER_NAME,
	    "Hello, ", "name", "!", true },
	{ "test_input_required_result_sampling", "capital_question",
	    "\"capital_question\":"
	    SAMPLE("\"What is the capital of France?\"", "100"),
	    "", "text", "", false },
	{ "test_input_required_result_list_roots", "client_roots",
	    "\"client_roots\":" ROOTS, "Roots: ", NULL, "", false },
	{ "test_input_required_result_request_state", "confirm", CONFIRM,
	    "state-ok: ", NULL, "", false },
	{ "test_input_required_result_multiple_inputs",
	    "user_name greeting client_roots", USER_NAME ",\"greeting\":"
	    SAMPLE("\"Generate a greeting\"", "50") ",\"client_roots\":" ROOTS,
	    "Hello, ", "name", "!", false },
	{ "test_input_required_result_multi_round", "step1", "\"step1\":"
	    FORM_OF("Step 1: What is your name?", "name", "string"),
	    "", "name", "", false },
	{ "test_input_required_result_multi_round", "step2", "\"step2\":"
	    FORM_OF("Step 2: What is your favorite color?", "color", "string"),
	    "Your color: ", "color", "", false },
	{ "test_input_required_result_tampered_state", "confirm", CONFIRM,
	    "state-ok: ", NULL, "", false },
	{ "test_input_required_result_capabilities", "capital_question",
	    "\"capital_question\":"
	    SAMPLE("\"What is the capital of France?\"", "100") "," USER_NAME,
	    "", "text", "", false },
	{ "test_input_required_result_prompt", "user_context",
	    "\"user_context\":" FORM_OF("What context should the prompt use?",
	    "context", "string"), "Context: ", "context", "", false },
};

/* The answer to one question of a round, an object; 0 when there is none. */
static uint32_t
round_answer(struct keeper *k, const struct round *r, struct str key)
{
	const struct json *j = k->asking.j;
	uint32_t said = r->stateless ? json_get(j, k->asking.answers, key) :
	    ask_answer(k, str_c(r->keys), key);

	return json_is_object(j, said) ? said : 0;
}

/* Put the text of a round in *text. False: not all is answered, or the answer
 * lacks what belongs in it. */
MUST static bool
round_text(struct keeper *k, const struct round *r, struct str *text)
{
	const struct json *j = k->asking.j;
	struct str keys = str_c(r->keys), key, action, part = NOTHING;
	uint32_t first = 0, said;

	while (str_cut(&keys, ' ', &key)) {
		if ((said = round_answer(k, r, key)) == 0)
			return false;
		first = first == 0 ? said : first;
	}
	said = json_get(j, first, S("content"));
	if (!json_get_str(j, first, S("action"), &action))
		action = NOTHING;
	if (r->member != NULL && (action.n == 0 || action.p[0] == 'a')) {
		if (!json_get_str(j, said, str_c(r->member), &part))
			return false;
	} else if (action.n > 0) {
		part = JOIN(&k->scratch, S("action="), action, S(", content="),
		    said != 0 ? json_raw(j, said) : S("{}"));
	} else {
		part = json_raw(j, first);
	}
	*text = JOIN(&k->scratch, str_c(r->before), part, str_c(r->after));
	return true;
}

/* Ask the questions of a round. */
MUST static bool
round_ask(struct keeper *k, const struct round *r, struct err *e)
{
	uint32_t args = json_get(k->asking.j, fixture_params(k),
	    S("arguments"));
	struct str questions = str_c(r->questions);
	size_t at = str_find(questions, '$');
	uint32_t first = json_first(k->asking.j, args);

	if (at < questions.n && first != 0)
		questions = JOIN(&k->scratch, str_upto(questions, at),
		    json_raw(k->asking.j, first + 1),
		    str_from(questions, at + 1));
	if (!r->stateless)
		return ask_put(k, str_c(r->keys), questions, e);
	k->asking.questions = questions;
	return fail(e, E_ASK, "");
}

/* Go on where the answers say that the call is: ask in the round after the
 * last one that is answered, or have the text of the last round. */
MUST static bool
rounds_run(struct keeper *k, struct str *text, struct err *e)
{
	const struct round *next = NULL;
	struct str name = fixture_name(k);

	for (size_t i = LEN(rounds); i-- > 0;) {
		if (!str_eq(name, str_c(rounds[i].name)))
			continue;
		if (round_text(k, &rounds[i], text))
			return next == NULL || round_ask(k, next, e);
		next = &rounds[i];
	}
	return next != NULL ? round_ask(k, next, e) :
	    fail(e, E_INTERNAL, "no such round");
}

MUST static bool
ask_run(struct keeper *k, const struct json *j, uint32_t args, struct jw *w,
    struct err *e)
{
	struct str text;

	(void)j;
	(void)args;
	if (!rounds_run(k, &text, e))
		return false;
	jw_raw(w, S("\"content\":[{\"type\":\"text\",\"text\":"));
	jw_quote(w->o, text);
	out_put(w->o, S("}]"));
	return true;
}

MUST static bool
ask_prompt(struct keeper *k, const struct json *j, uint32_t args,
    struct jw *w, struct err *e)
{
	struct str text;

	(void)j;
	(void)args;
	if (!rounds_run(k, &text, e))
		return false;
	jw_raw(w, S("\"messages\":[{\"role\":\"user\",\"content\":{"
	    "\"type\":\"text\",\"text\":"));
	jw_quote(w->o, text);
	out_put(w->o, S("}}]"));
	return true;
}

/* Not the suite's: the question that the program itself asks a person. */
MUST static bool
approval_run(struct keeper *k, const struct json *j, uint32_t args,
    struct jw *w, struct err *e)
{
	static const struct str choice[] = { { (const u8 *)"once", 4 },
	    { (const u8 *)"no", 2 } };
	struct ask q = { S("approval"), NOTHING, choice, LEN(choice) };
	size_t chosen;

	(void)!json_get_str(j, args, S("message"), &q.message);
	if (!ask_person(k, &q, &chosen, e))
		return false;
	jw_raw(w, S("\"content\":[{\"type\":\"text\",\"text\":\"approved: "));
	OUT(w->o, choice[chosen], S("\"}]"));
	return true;
}

/* ---- what depends on an argument -------------------------------------- */

MUST static bool
embed_prompt(struct keeper *k, const struct json *j, uint32_t args,
    struct jw *w, struct err *e)
{
	uint32_t uri = json_get(j, args, S("resourceUri"));

	(void)k;
	(void)e;
	jw_raw(w, S("\"messages\":[{\"role\":\"user\",\"content\":{"
	    "\"type\":\"resource\",\"resource\":{\"uri\":"));
	OUT(w->o, json_raw(j, uri), S(",\"mimeType\":\"text/plain\","
	    "\"text\":\"Embedded resource content for testing.\"}}},"
	    USER(TEXT_BLOCK("Please process the embedded resource above."))
	    "]"));
	return true;
}

MUST static bool
template_read(struct keeper *k, struct str uri, const struct str *var,
    struct jw *w, struct err *e)
{
	struct out o;
	struct jw text;

	(void)e;
	resource_open(k, &o, &text);
	jw_put(&text, S("id"), var[0]);
	jw_put_raw(&text, S("templateTest"), S("true"));
	jw_put(&text, S("data"), JOIN(&k->scratch, S("Data for ID: "), var[0]));
	resource_close(k, &text, uri, w);
	return true;
}

/* ---- methods ---------------------------------------------------------- */

/* logging/setLevel: checked, and then of no effect. */
static void
level_set(struct door *d, const struct rpc *q)
{
	if (!door_is_log_level(q->j, json_get(q->j, q->params, S("level"))))
		rpc_refuse(d, q, RPC_PARAMS, "level is not a level");
	else
		mcp_empty(d, q);
}

/* resources/subscribe and resources/unsubscribe: nothing here changes. */
static void
subscribe(struct door *d, const struct rpc *q)
{
	struct str uri;

	if (!json_get_str(q->j, q->params, S("uri"), &uri))
		rpc_refuse(d, q, RPC_PARAMS, "uri must be a string");
	else
		mcp_empty(d, q);
}

static const struct method more_methods[] = {
	{ "logging/setLevel", true, false, NULL, level_set },
	{ "resources/subscribe", true, false, NULL, subscribe },
	{ "resources/unsubscribe", true, false, NULL, subscribe },
};

/* ---- the catalogue ---------------------------------------------------- */

#define HINTS "\"readOnlyHint\":true"
#define TOOL(name, help, run) \
	{ name, help, help, HINTS, NULL, NULL, NULL, 0, run }
#define TOOL_OF(name, help, arg, run) \
	{ name, help, help, HINTS, NULL, NULL, arg, LEN(arg), run }
#define ROUNDS(what) "test_input_required_result_" what
#define SCHEMA "{\"$schema\":\"https://json-schema.org/draft/2020-12/" \
	"schema\",\"type\":\"object\",\"$defs\":{\"address\":{" \
	"\"$anchor\":\"addressDef\",\"type\":\"object\",\"properties\":{" \
	"\"street\":{\"type\":\"string\"},\"city\":{\"type\":\"string\"}}}}," \
	"\"properties\":{\"name\":{\"type\":\"string\"}," \
	"\"address\":{\"$ref\":\"#/$defs/address\"}," \
	"\"contactMethod\":{\"type\":\"string\",\"enum\":[\"phone\"," \
	"\"email\"]},\"phone\":{\"type\":\"string\"}," \
	"\"email\":{\"type\":\"string\"}}," \
	"\"allOf\":[{\"anyOf\":[{\"required\":[\"phone\"]}," \
	"{\"required\":[\"email\"]}]}]," \
	"\"if\":{\"properties\":{\"contactMethod\":{\"const\":\"phone\"}}," \
	"\"required\":[\"contactMethod\"]}," \
	"\"then\":{\"required\":[\"phone\"]}," \
	"\"else\":{\"required\":[\"email\"]},\"additionalProperties\":false}"

static const struct arg prompt_arg[] = {
	{ "prompt", "What to ask the model", ARG_TEXT, true,
	    COMPLETE_NOTHING },
};

static const struct arg message_arg[] = {
	{ "message", "What to show the user", ARG_TEXT, true,
	    COMPLETE_NOTHING },
};

static const struct tool fixture_tools[] = {
	TOOL("test_simple_text", "A text", constant_run),
	TOOL("test_image_content", "An image", constant_run),
	TOOL("test_audio_content", "A sound", constant_run),
	TOOL("test_embedded_resource", "A resource", constant_run),
	TOOL("test_multiple_content_types", "All of these", constant_run),
	TOOL("test_tool_with_logging", "Log messages", log_run),
	TOOL("test_logging_tool", "Log messages", log_run),
	TOOL("test_error_handling", "An error", error_run),
	TOOL("test_tool_with_progress", "Progress", progress_run),
	TOOL("test_trigger_tool_change", "Another tool list", change_run),
	TOOL("test_trigger_prompt_change", "Another prompt list", change_run),
	TOOL_OF("test_sampling", "Asks the model", prompt_arg, ask_run),
	TOOL_OF("test_elicitation", "Asks the user", message_arg, ask_run),
	TOOL("test_elicitation_sep1034_defaults", "Defaults", ask_run),
	TOOL("test_elicitation_sep1330_enums", "Enumerations", ask_run),
	TOOL("test_missing_capability", "Needs sampling", ask_run),
	TOOL("test_streaming_elicitation", "Asks the user", ask_run),
	TOOL(ROUNDS("elicitation"), "Asks the user", ask_run),
	TOOL(ROUNDS("sampling"), "Asks the model", ask_run),
	TOOL(ROUNDS("list_roots"), "Asks for roots", ask_run),
	TOOL(ROUNDS("request_state"), "Has a state", ask_run),
	TOOL(ROUNDS("multiple_inputs"), "Asks three things", ask_run),
	TOOL(ROUNDS("multi_round"), "Asks twice", ask_run),
	TOOL(ROUNDS("tampered_state"), "Has a state", ask_run),
	TOOL(ROUNDS("capabilities"), "Asks who can be asked", ask_run),
	TOOL_OF("test_approval", "Asks for approval", message_arg,
	    approval_run),
	{ "json_schema_2020_12_tool", "JSON Schema 2020-12",
	    "Tool with JSON Schema 2020-12 features", HINTS, NULL, SCHEMA,
	    NULL, 0, constant_run },
};

static const struct arg id_arg[] = {
	{ "id", "Which one", ARG_TEXT, true, COMPLETE_NOTHING },
};

static const struct resource fixture_resources[] = {
	{ "test://static-text", "static-text", "Text", "A text", "text/plain",
	    NULL, 0, constant_read },
	{ "test://static-binary", "static-binary", "Image", "An image",
	    "image/png", NULL, 0, constant_read },
	{ "test://watched-resource", "watched-resource", "Watched",
	    "A text to subscribe to", "text/plain", NULL, 0, constant_read },
	{ "test://template/{id}/data", "template", "Template",
	    "What depends on its URI", "application/json", id_arg,
	    LEN(id_arg), template_read },
};

static const struct arg two_args[] = {
	{ "arg1", "First test argument", ARG_TEXT, true, COMPLETE_NOTHING },
	{ "arg2", "Second test argument", ARG_TEXT, true, COMPLETE_NOTHING },
};

static const struct arg uri_arg[] = {
	{ "resourceUri", "URI of the resource to embed", ARG_TEXT, true,
	    COMPLETE_NOTHING },
};

static const struct prompt fixture_prompts[] = {
	{ "test_simple_prompt", "Simple", "Without arguments",
	    "This is a simple prompt for testing.", NULL, 0, NULL },
	{ "test_prompt_with_arguments", "Arguments", "With two arguments",
	    "Prompt with arguments: arg1={arg1}, arg2={arg2}", two_args,
	    LEN(two_args), NULL },
	{ "test_prompt_with_embedded_resource", "Resource", "With a resource",
	    NULL, uri_arg, LEN(uri_arg), embed_prompt },
	{ "test_prompt_with_image", "Image", "With an image", NULL, NULL, 0,
	    constant_run },
	{ ROUNDS("prompt"), "Question", "Asks the user", NULL, NULL, 0,
	    ask_prompt },
};

static const struct catalog fixture = {
	fixture_tools, LEN(fixture_tools),
	fixture_resources, LEN(fixture_resources),
	fixture_prompts, LEN(fixture_prompts),
	more_methods, LEN(more_methods),
	"\"tools\":{\"listChanged\":true},\"prompts\":{\"listChanged\":true},"
	"\"resources\":{\"subscribe\":true},\"logging\":{}",
	"For the conformance suite.", CHANGE_TOOLS | CHANGE_PROMPTS,
};

/* The program's main() without arguments and settings. */
int
main(void)
{
	char *none[] = { NULL };
	struct str bad = NOTHING;
	struct cfg cfg;
	struct os os;

	(void)opmcp_main;
	(void)signal(SIGPIPE, SIG_IGN);
	if (!cfg_from_env(&cfg, none, &bad))
		return EX_SOFTWARE;
	cfg.calls = 0;
	cfg.audit = "off";
	cli_descriptors(&cfg);
	os_init(&os, LOG_ERROR);
	return cli_serve(&cfg, &os, &fixture);
}
