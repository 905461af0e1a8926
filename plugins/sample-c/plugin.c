/* Lets one event of so many through, the same one on every retry and replay. */

#include "hookloom/hookloom.h"

const hl_about plugin_about = {
    .name = "sample-c",
    .version = "0.1.0",
    .description = "Lets one event of so many through",
    .without_body = true,
    .config_schema = "{\"type\":\"object\",\"properties\":{\"one_of\":{\"type\":\"integer\",\"minimum\":1}},"
                     "\"required\":[\"one_of\"],\"additionalProperties\":false}",
};

static int64_t one_of;

/* Takes the `config` of the step in hookloom.toml: { one_of = 10 }. */
const char *plugin_configure(hl_bytes config) {
    hl_bytes rest = config, name, value;
    one_of = 0;
    while (hl_json_member(&rest, &name, &value)) {
        if (!hl_equal(hl_json_text(name), "one_of"))
            return hl_concat("unknown setting ", hl_string(name), "; there is: one_of", NULL);
        if (!hl_json_integer(value, &one_of)) return "`one_of` is wanted as a whole number";
    }
    return one_of < 1 ? "`one_of` is wanted, 1 or more: let one event of so many through" : NULL;
}

/* FNV-1a: ids differ little, and their hashes in every bit. */
static uint64_t hash(hl_bytes text) {
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < text.length; i++) hash = (hash ^ (uint8_t)text.at[i]) * 0x100000001b3;
    return hash;
}

hl_answer plugin_filter(const hl_event *event) {
    if (hash(event->id) % (uint64_t)one_of == 0) return hl_pass();
    return hl_drop("not in the sample");
}
