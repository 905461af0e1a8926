/* {{description}}. */

#include "hookloom/hookloom.h"

const hl_about plugin_about = {
    .name = "{{name}}",
    .version = "0.1.0",
    .description = "{{description}}",
};

static const char *const USUAL = "[\"action\", \"issue\", \"pull_request\", \"sender\"]";

/* An array of strings, as JSON. */
static hl_bytes keep;

/* Takes the `config` of the step in hookloom.toml: { {{example}} }. */
const char *plugin_configure(hl_bytes config) {
    keep = hl_json_get(config, "keep");
    if (!keep.at) keep = hl_text(USUAL);
    return NULL;
}

static bool is_kept(hl_bytes name) {
    const char *wanted = hl_string(hl_json_text(name));
    hl_bytes rest = keep, item;
    while (hl_json_next(&rest, &item))
        if (hl_equal(hl_json_text(item), wanted)) return true;
    return false;
}

hl_answer plugin_transform(const hl_event *event) {
    hl_bytes rest = event->body, name, value;
    size_t members = 0, kept = 0;
    const char *body = "";
    if (!hl_json_object(event->body)) return hl_invalid_input("the body is no JSON object");
    for (; hl_json_member(&rest, &name, &value); members++) {
        if (!is_kept(name)) continue;
        body = hl_concat(body, kept++ ? "," : "{", hl_string(name), ":", hl_string(value), NULL);
    }
    if (kept == members) return hl_unchanged();
    if (kept == 0) return hl_drop("nothing of it is kept");
    hl_log(HL_DEBUG, "slimmed");
    return hl_replace((hl_message){.body = hl_text(hl_concat(body, "}", NULL)), .content_type = "application/json"});
}
