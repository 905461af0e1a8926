#include "memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What was taken since the last call, the newest first. */
static struct chunk {
    struct chunk *next;
    max_align_t place[];
} *chunks;

void *hl_allocate(size_t length) {
    struct chunk *chunk = calloc(1, sizeof *chunk + length);
    if (!chunk) abort();
    chunk->next = chunks;
    chunks = chunk;
    return chunk->place;
}

void hl_keep(void) { chunks = NULL; }

void hl_release(void) {
    while (chunks) {
        struct chunk *next = chunks->next;
        free(chunks);
        chunks = next;
    }
}

hl_bytes hl_text(const char *text) {
    return (hl_bytes){text, text ? strlen(text) : 0};
}

bool hl_equal(hl_bytes bytes, const char *text) {
    return bytes.at && bytes.length == strlen(text) && memcmp(bytes.at, text, bytes.length) == 0;
}

const char *hl_concat(const char *first, ...) {
    va_list parts;
    size_t length = 0;
    va_start(parts, first);
    for (const char *part = first; part; part = va_arg(parts, const char *)) length += strlen(part);
    va_end(parts);
    char *text = hl_allocate(length + 1), *end = text;
    va_start(parts, first);
    for (const char *part = first; part; part = va_arg(parts, const char *)) {
        memcpy(end, part, strlen(part));
        end += strlen(part);
    }
    va_end(parts);
    *end = 0;
    return text;
}

const char *hl_string(hl_bytes bytes) {
    char *text = hl_allocate(bytes.length + 1);
    if (bytes.length) memcpy(text, bytes.at, bytes.length);
    text[bytes.length] = 0;
    return text;
}

hl_bytes hl_header(const hl_event *event, const char *name) {
    for (size_t i = 0; i < event->header_count; i++)
        if (hl_equal(event->headers[i].name, name)) return event->headers[i].value;
    return (hl_bytes){0};
}

hl_answer hl_pass(void) { return (hl_answer){.kind = HL_PASS}; }
hl_answer hl_drop(const char *reason) { return (hl_answer){.kind = HL_DROP, .reason = reason}; }
hl_answer hl_unchanged(void) { return (hl_answer){.kind = HL_UNCHANGED}; }
hl_answer hl_invalid_input(const char *why) { return (hl_answer){.kind = HL_INVALID_INPUT, .reason = why}; }
hl_answer hl_misconfigured(const char *why) { return (hl_answer){.kind = HL_MISCONFIGURED, .reason = why}; }
hl_answer hl_retry(const char *why) { return (hl_answer){.kind = HL_RETRY, .reason = why}; }
hl_answer hl_other(const char *why) { return (hl_answer){.kind = HL_OTHER, .reason = why}; }

/* The caller's messages may be on its stack, and are read when it has returned. */
static hl_answer answer_with(int kind, const hl_message *messages, size_t count) {
    hl_message *kept = hl_allocate(count * sizeof *kept);
    if (count) memcpy(kept, messages, count * sizeof *kept);
    return (hl_answer){.kind = kind, .messages = kept, .message_count = count};
}

hl_answer hl_split(const hl_message *messages, size_t count) { return answer_with(HL_SPLIT, messages, count); }
hl_answer hl_replace(hl_message message) { return answer_with(HL_REPLACE, &message, 1); }

/* Of the component only. */
__attribute__((weak)) void hl_log(enum hl_level level, const char *message) {
    (void)level;
    (void)message;
}
