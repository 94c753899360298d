/* SPDX-License-Identifier: MIT
 *
 * The page a deployer may change: version, limits and defaults of opmcp.
 * Each value names its unit and its reason; opmcp.c and the tests read the
 * same page. Sizes are bytes, times milliseconds unless the name says else.
 */
#ifndef OPMCP_H
#define OPMCP_H

#define OPMCP_VERSION "0.5.0"

/* What the service is told about the client (X-AgileBits-Client): the build
 * of the official SDK whose protocol this program speaks. Our own name and
 * version stand in User-Agent as the integration. */
#define SA_BUILD "0050002"
#define SA_CLIENT "1Password SDK/" SA_BUILD
#define SA_AGENT "1Password JS SDK/" SA_BUILD " opmcp/" OPMCP_VERSION

/* Defaults of the settings (see --help). */
#define DEF_VAULTS "AI"         /* the only vault that may be used */
#define DEF_REVEAL "allow"      /* values may reach the model: what it is for */
#define DEF_MAX_ITEMS "25"      /* different items revealed in one run */
#define DEF_CALLS "10"          /* tool calls ... */
#define DEF_CALLS_S "60"        /* ... in so many seconds */
#define DEF_AUDIT "stderr"      /* hosts keep it; never a secret in it */
#define DEF_PLAN "family"       /* the smallest quota */
#define DEF_LOG "info"          /* error, warn, info, debug */
#define DEF_TIMEOUT_S "30"      /* a whole call, in seconds; hosts give 60 */

/* Deadlines inside one call; each is also cut by the call's own. */
#define LOOKUP_MS 5000          /* name look-up: one resolver timeout */
#define CONNECT_MS 8000         /* TCP, all addresses together */
#define CONNECT_NEXT_MS 250     /* head start of one address, RFC 8305 5 */
#define HANDSHAKE_MS 8000       /* TLS or the proxy's CONNECT */
#define FIRST_BYTE_MS 15000     /* request sent to first byte of the answer */
#define EXCHANGE_MS 25000       /* request sent to last byte of the answer */
#define ASK_MS 180000           /* for a person to answer a question */
#define PASS_MS 600000          /* "allow for 10 minutes" */
#define MISS_MS 10000           /* a name that is not there is asked again */
#define AUDIT_MS 1000           /* for whoever reads audit lines to take one */
#define STATE_MS 600000         /* for a modern host to come back with it */
#define LAG_MS 2000             /* Connect reads this late after a write */
#define REPEAT_MS 200           /* before a request is made again; doubled */
#define OPEN_MS 60000           /* after FAULTS_MAX nothing is sent */
#define REFUSED_MS 60000        /* after a refused sign-in none is tried */
#define QUIET_MS 30000          /* after a failed look-up nobody waits for */
#define PROGRESS_MS 3000        /* between two notes of progress */
#define NOTES_MS 200            /* at least; five a second at most */
#define DRAIN_MS 500            /* at the end: flush stdout, wait for keeper */

/* Sizes of what comes from outside. */
#define LINE_MAX_LEN (8u << 20)      /* one MCP message; hosts stop at 10 MiB */
#define ID_MAX 1024u                 /* a JSON-RPC id, as source text */
#define ARGS_MAX (64u << 10)         /* arguments of one tool call */
#define JSON_DEPTH_MAX 64u           /* nesting; real messages need about 12 */
#define TOKEN_MAX (16u << 10)        /* 1 KiB; Connect's grow with vaults */
#define NAME_MAX_LEN 255u            /* item, vault, field names, characters */
#define CLEAN_MAX 1024u              /* a name from a vault as it is shown */
#define CLI_TEXT 4096u               /* an error of a command */
#define POLICY_MAX (64u << 10)       /* the policy file */
#define AUD_TEXT_MAX 256u            /* a text from outside in an audit line */
#define AUD_RUNS_MAX 65536u          /* runs in an audit file */
#define AUD_FILE_MAX (256u << 20)    /* an audit file that is verified */
#define AUD_LINE_MAX 8192u           /* an audit line; escapes take six times */
#define URI_MAX 4096u                /* of a resource; a name takes 3 KB */
#define CAPS_MAX (16u << 10)         /* a host's capabilities */
#define ANSWER_MAX (16u << 10)       /* an answer to a question of ours */
#define PROMPT_MAX (32u << 10)       /* a prompt with its arguments */
#define HTTP_HEAD_MAX (16u << 10)    /* status line and headers of an answer */
#define HTTP_BODY_MAX (64u << 20)    /* 10,000 items are 8.3 MB; six times it */
#define CA_BUNDLE_MAX (4u << 20)     /* Debian's is 220 KB */
#define SRPX_MAX 64u                 /* normally 32 */
#define KEYSETS_MAX 64u              /* own and group keysets of one account */
#define VAULTS_MAX 512u              /* vaults one token reaches */
#define LIST_CHEAP 200u              /* items: a Connect list of 60 KB */
#define WROTE_MAX 32u                /* items that Connect may show late */
#define RETRY_AFTER_MAX_S 3600       /* longest pause a 429 can impose */
#define REPEAT_AFTER_S 5             /* longest Retry-After a call waits for */
#define REPEATS_MAX 2u               /* requests made again in one call */
#define FAULTS_MAX 5u                /* in a row; then the circuit opens */

/* How much may wait or grow. */
#define CALLS_MAX 64u                /* tool calls in flight or waiting */
#define BATCHES_MAX 64u              /* JSON-RPC batches being answered */
#define FORMS_MAX 4u                 /* questions before a host at once */
#define LISTENS_MAX 16u              /* open subscriptions/listen */
#define ASKS_MAX 256u                /* questions that may be open at once */
#define ASKS_OF_CALL 4u              /* questions put during one legacy call */
#define PAGE_ITEMS 100u              /* items on a page of a resource */
#define DURATIONS_MAX 256u           /* calls whose duration is remembered */
#define RULES_MAX 256u               /* in the policy file */
#define LIMITS_MAX 1024u             /* buckets of rules "limit" in use */
#define PASSES_MAX 64u               /* approvals that hold for a while */
#define MISSES_MAX 64u               /* names remembered as not there */
#define ITEMS_SEEN_MAX 1000u         /* OPMCP_MAX_ITEMS at most */
#define RATE_MAX_S 2592000u          /* longest window of a limit: 30 days */
#define VALUES_MAX 100u              /* values of a completion; MCP's limit */
#define FIELDS_SHOWN 2000u           /* fields of an item in one look */
#define EDITS_MAX 128u               /* changes to one text of an item */
#define WISH_FIELDS_MAX 24u          /* fields set in one call, */
#define WISH_TAGS_MAX 24u            /* ... and tags */
#define WISH_ROOM (256u << 10)       /* bytes of JSON that they may take */
#define REF_MAX 1100u                /* of a secret reference */
#define COMPLETIONS_QUEUED 8u        /* waiting; more get no values */
#define REREADS_MAX 5u               /* of a doubtful list, in QUIET_MS */
#define READS_MAX 30u                /* resources read ... */
#define READS_S 60u                  /* ... in this time; hosts read unasked */
#define COMPLETIONS_MAX 40u          /* completions ... */
#define COMPLETIONS_S 10u            /* ... in this time; typing is slower */
#define BATCH_MEMBERS_MAX 1024u      /* messages in one */
#define OUT_MAX (32u << 20)          /* bytes waiting for the host to read */
#define OUT_PAUSE (1u << 20)         /* above it stdin is not read */
#define FRAME_MAX (1u << 20)         /* door to keeper and back */

/* Address space; only pages that are written cost memory. */
#define ARENA_LOCKED (512u << 10)    /* keys; RLIMIT_MEMLOCK is 8 MB today */
#define ARENA_SESSION (4u << 20)     /* trust anchors, vault list */
#define ARENA_LIST (32u << 20)       /* titles and ids of one vault */
#define ARENA_REQUEST (320u << 20)   /* one call in the keeper */
#define ARENA_LINE (64u << 20)       /* one message in the door */
#define ARENA_HOME (48u << 20)       /* the door's input and calls */
#define CALL_ROOM (512u << 10)       /* one call that waits */

#endif
