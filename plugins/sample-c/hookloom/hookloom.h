/* What a plugin in C is written with. It is compiled into the component, and as it is for
   the machine that tests run on. */

#ifndef HOOKLOOM_H
#define HOOKLOOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory that nobody has to free: what a call takes is freed behind it, what
   `plugin_configure` takes stays. Zeroed. The functions below return such memory. */
void *hl_allocate(size_t length);

/* Text or bytes, without a NUL at the end. `at` is NULL where there is none. */
typedef struct hl_bytes {
    const char *at;
    size_t length;
} hl_bytes;

/* Of a string: hl_text("x"). */
hl_bytes hl_text(const char *text);
bool hl_equal(hl_bytes bytes, const char *text);
/* A string of all parts one after the other; the last is NULL: hl_concat("a", "b", NULL). */
const char *hl_concat(const char *first, ...);
/* With a NUL at the end. */
const char *hl_string(hl_bytes bytes);

/* A header or an attribute. */
typedef struct hl_pair {
    hl_bytes name;
    hl_bytes value;
} hl_pair;

/* One received webhook. */
typedef struct hl_event {
    hl_bytes id;             /* the gateway's, evt_...: a retried or replayed event keeps it */
    hl_bytes source;         /* its name in hookloom.toml */
    hl_bytes type;           /* what the provider calls it, issues.opened say; or none */
    uint64_t received_at_ms; /* since 1970 */
    hl_bytes method;         /* upper case */
    hl_bytes path;           /* percent-encoded, without the query */
    hl_bytes query;          /* behind the ?; or none */
    hl_bytes content_type;   /* or none */
    hl_bytes body;           /* the exact bytes */
    const hl_pair *headers;  /* as they came, names in lower case */
    size_t header_count;
    const hl_pair *attributes;
    size_t attribute_count;
} hl_event;

/* The first header of that name, which is in lower case; or none. */
hl_bytes hl_header(const hl_event *event, const char *name);

/* What is sent instead of the event. What is left out (0) stays as it was. */
typedef struct hl_message {
    hl_bytes body;
    const char *content_type;
    const hl_pair *headers; /* to set */
    size_t header_count;
    const char *type;               /* another name for the event */
    const char *idempotency_suffix; /* tells the messages of a split apart */
} hl_message;

/* What a call answers; the functions below make one, and copy the messages. */
typedef struct hl_answer {
    enum {
        HL_PASS,
        HL_DROP,
        HL_UNCHANGED,
        HL_REPLACE,
        HL_SPLIT,
        HL_INVALID_INPUT,
        HL_MISCONFIGURED,
        HL_RETRY,
        HL_OTHER
    } kind;
    const char *reason;
    const hl_message *messages;
    size_t message_count;
} hl_answer;

hl_answer hl_pass(void);               /* a filter's: lets the event through */
hl_answer hl_drop(const char *reason); /* a filter's or a transform's; recorded */
hl_answer hl_unchanged(void);          /* a transform's: sends the event as it is */
hl_answer hl_replace(hl_message message);
hl_answer hl_split(const hl_message *messages, size_t count); /* at most 1,000; 0 drops */
hl_answer hl_invalid_input(const char *why);  /* not what this plugin understands */
hl_answer hl_misconfigured(const char *why);  /* it cannot work; its runs wait */
hl_answer hl_retry(const char *why);          /* it may be otherwise on a later try */
hl_answer hl_other(const char *why);

/* The value of a key of a JSON object, as it is written there; none if there is no such
   key, or no object. It reads what it needs and validates no more. */
hl_bytes hl_json_get(hl_bytes object, const char *key);
/* Whether it is a JSON object, read to its end. */
bool hl_json_object(hl_bytes value);
/* The text of a JSON string, unescaped; none if it is no string. */
hl_bytes hl_json_text(hl_bytes value);
/* A JSON integer, into `*number`. */
bool hl_json_integer(hl_bytes value, int64_t *number);
/* The members of a JSON object, one after the other: `rest` is the object at first. */
bool hl_json_member(hl_bytes *rest, hl_bytes *name, hl_bytes *value);
/* The items of a JSON array, one after the other: `rest` is the array at first. */
bool hl_json_next(hl_bytes *rest, hl_bytes *item);

/* A line in the gateway's log; nothing where tests run. */
enum hl_level { HL_TRACE, HL_DEBUG, HL_INFO, HL_WARN, HL_ERROR };
void hl_log(enum hl_level level, const char *message);

/* What a plugin has: what it says of itself, what takes the `config` of its step, as JSON
   (`null` where there is none), and a filter or a transform. */
typedef struct hl_about {
    const char *name;
    const char *version;
    const char *description;
    bool without_body;          /* the body is not sent to it, which is cheaper */
    const char *const *headers; /* only these are, up to a NULL; NULL: all */
    const char *config_schema;  /* JSON Schema of its configuration; or NULL */
} hl_about;

extern const hl_about plugin_about;
/* NULL, or why the configuration is refused. */
const char *plugin_configure(hl_bytes config);
hl_answer plugin_filter(const hl_event *event);
hl_answer plugin_transform(const hl_event *event);

#endif
