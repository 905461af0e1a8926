#include "component.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>

/* For the bindings, which free it when the gateway has read it. */
static void *allocate(size_t count, size_t size) {
    void *place = calloc(count ? count : 1, size);
    if (!place) abort();
    return place;
}

static hl_bytes lift(contract_string_t text) {
    return (hl_bytes){(const char *)text.ptr, text.len};
}

static hl_bytes lift_option(contract_option_string_t text) {
    return text.is_some ? lift(text.val) : (hl_bytes){0};
}

static contract_string_t lower(hl_bytes bytes) {
    contract_string_t text = {allocate(bytes.length, 1), bytes.length};
    if (bytes.length) memcpy(text.ptr, bytes.at, bytes.length);
    return text;
}

contract_string_t hl_lower_string(const char *text) {
    return lower(hl_text(text ? text : ""));
}

static contract_option_string_t lower_option(const char *text) {
    if (!text) return (contract_option_string_t){0};
    return (contract_option_string_t){.is_some = true, .val = hl_lower_string(text)};
}

hl_event hl_lift_event(const hookloom_plugin_types_event_t *event) {
    hl_pair *headers = hl_allocate(event->headers.len * sizeof *headers);
    for (size_t i = 0; i < event->headers.len; i++)
        headers[i] = (hl_pair){lift(event->headers.ptr[i].name), lift(event->headers.ptr[i].value)};
    hl_pair *attributes = hl_allocate(event->attributes.len * sizeof *attributes);
    for (size_t i = 0; i < event->attributes.len; i++)
        attributes[i] = (hl_pair){lift(event->attributes.ptr[i].name), lift(event->attributes.ptr[i].value)};
    return (hl_event){
        .id = lift(event->id),
        .source = lift(event->source),
        .type = lift_option(event->event_type),
        .received_at_ms = event->received_at_ms,
        .method = lift(event->method),
        .path = lift(event->path),
        .query = lift_option(event->query),
        .content_type = lift_option(event->content_type),
        .body = {(const char *)event->body.ptr, event->body.len},
        .headers = headers,
        .header_count = event->headers.len,
        .attributes = attributes,
        .attribute_count = event->attributes.len,
    };
}

void hl_lower_message(const hl_message *message, hookloom_plugin_types_message_t *lowered) {
    *lowered = (hookloom_plugin_types_message_t){
        .content_type = lower_option(message->content_type),
        .event_type = lower_option(message->type),
        .idempotency_suffix = lower_option(message->idempotency_suffix),
    };
    if (message->body.at) {
        contract_string_t body = lower(message->body);
        lowered->body.is_some = true;
        lowered->body.val.ptr = body.ptr;
        lowered->body.val.len = body.len;
    }
    lowered->set_headers.len = message->header_count;
    lowered->set_headers.ptr = allocate(message->header_count, sizeof *lowered->set_headers.ptr);
    for (size_t i = 0; i < message->header_count; i++) {
        lowered->set_headers.ptr[i].name = lower(message->headers[i].name);
        lowered->set_headers.ptr[i].value = lower(message->headers[i].value);
    }
}

bool hl_end(bool answered, hookloom_plugin_types_event_t *event) {
    hl_release();
    hookloom_plugin_types_event_free(event);
    return answered;
}

void hl_lower_error(const hl_answer *answer, hookloom_plugin_types_error_t *error) {
    const char *why = answer->reason;
    switch (answer->kind) {
    case HL_INVALID_INPUT: error->tag = HOOKLOOM_PLUGIN_TYPES_ERROR_INVALID_INPUT; break;
    case HL_MISCONFIGURED: error->tag = HOOKLOOM_PLUGIN_TYPES_ERROR_MISCONFIGURED; break;
    case HL_RETRY: error->tag = HOOKLOOM_PLUGIN_TYPES_ERROR_RETRY; break;
    case HL_OTHER: error->tag = HOOKLOOM_PLUGIN_TYPES_ERROR_OTHER; break;
    default:
        error->tag = HOOKLOOM_PLUGIN_TYPES_ERROR_OTHER;
        why = "an answer that is not of this kind of plugin";
    }
    error->val.other = hl_lower_string(why);
}

void exports_hookloom_plugin_lifecycle_describe(exports_hookloom_plugin_lifecycle_metadata_t *metadata) {
    *metadata = (exports_hookloom_plugin_lifecycle_metadata_t){
        .name = hl_lower_string(plugin_about.name),
        .version = hl_lower_string(plugin_about.version),
        .description = hl_lower_string(plugin_about.description),
        .needs_body = !plugin_about.without_body,
        .header_names = {.is_some = plugin_about.headers != NULL},
        .config_schema = lower_option(plugin_about.config_schema),
    };
    if (!plugin_about.headers) return;
    size_t count = 0;
    while (plugin_about.headers[count]) count++;
    metadata->header_names.val.len = count;
    metadata->header_names.val.ptr = allocate(count, sizeof(contract_string_t));
    for (size_t i = 0; i < count; i++)
        metadata->header_names.val.ptr[i] = hl_lower_string(plugin_about.headers[i]);
}

bool exports_hookloom_plugin_lifecycle_configure(contract_string_t *config, contract_string_t *refusal) {
    /* The text stays: a plugin may point into it. */
    const char *why = plugin_configure(lift(*config));
    hl_keep();
    if (why) *refusal = hl_lower_string(why);
    return why == NULL;
}

void hl_log(enum hl_level level, const char *message) {
    contract_string_t text = {(uint8_t *)(uintptr_t)message, strlen(message)};
    hookloom_plugin_log_list_field_t fields = {0};
    hookloom_plugin_log_log((hookloom_plugin_log_level_t)level, &text, &fields);
}

/* The bindings want an object file linked in that describes the contract; the build gives
   the linker its text instead. */
void __component_type_object_force_link_contract(void) {}
