#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "hookloom/hookloom.h"

static hl_answer answer_to(const char *body) {
    hl_event event = {.source = hl_text("github"), .body = hl_text(body)};
    return plugin_filter(&event);
}

int main(void) {
    assert(plugin_configure(hl_text("{\"ignore\": [\"labeled\"]}")) == NULL);
    hl_answer answer = answer_to("{\"action\": \"labeled\"}");
    assert(answer.kind == HL_DROP && strcmp(answer.reason, "labeled is ignored") == 0);
    assert(answer_to("{\"action\": \"opened\"}").kind == HL_PASS);

    assert(plugin_configure(hl_text("null")) == NULL);
    assert(answer_to("{\"action\": \"labeled\"}").kind == HL_PASS);
}
