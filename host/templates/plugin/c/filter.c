/* {{description}}. */

#include "hookloom/hookloom.h"

const hl_about plugin_about = {
    .name = "{{name}}",
    .version = "0.1.0",
    .description = "{{description}}",
};

/* An array of strings, as JSON. */
static hl_bytes ignored;

/* Takes the `config` of the step in hookloom.toml: { {{example}} }. */
const char *plugin_configure(hl_bytes config) {
    ignored = hl_json_get(config, "ignore");
    return NULL;
}

hl_answer plugin_filter(const hl_event *event) {
    hl_bytes action = hl_json_text(hl_json_get(event->body, "action"));
    const char *name = hl_string(action);
    hl_bytes rest = ignored, item;
    while (hl_json_next(&rest, &item))
        if (hl_equal(hl_json_text(item), name)) return hl_drop(hl_concat(name, " is ignored", NULL));
    hl_log(HL_DEBUG, "passed");
    return hl_pass();
}
