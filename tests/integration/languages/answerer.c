/* Answers as the event's action says. */

#include <stdlib.h>

#include "hookloom/hookloom.h"

const hl_about plugin_about = {.name = "answerer", .version = "1", .description = "Answers as it is told"};

const char *plugin_configure(hl_bytes config) {
    return hl_json_get(config, "a").at ? NULL : "a setting `a` is wanted";
}

hl_answer plugin_transform(const hl_event *event) {
    hl_bytes action = hl_json_text(hl_json_get(event->body, "action"));
    if (hl_equal(action, "pass")) return hl_pass();
    if (hl_equal(action, "abort")) abort();
    if (action.length > 6) return hl_retry(hl_string((hl_bytes){action.at + 6, action.length - 6}));
    static const hl_pair headers[] = {{{"x-own", 5}, {"v", 1}}};
    static const hl_message messages[] = {
        {.body = {"{}", 2}, .headers = headers, .header_count = 1, .idempotency_suffix = "one"},
        {.content_type = "text/plain", .type = "renamed", .idempotency_suffix = "two"},
    };
    return hl_split(messages, 2);
}
