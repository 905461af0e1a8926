#undef NDEBUG
#include <assert.h>

#include "hookloom/hookloom.h"

static hl_answer answer_to(const char *body) {
    hl_event event = {.source = hl_text("github"), .body = hl_text(body)};
    return plugin_transform(&event);
}

int main(void) {
    assert(plugin_configure(hl_text("{\"keep\": [\"action\"]}")) == NULL);
    hl_answer answer = answer_to("{\"action\": \"opened\", \"repository\": {}}");
    assert(answer.kind == HL_REPLACE && hl_equal(answer.messages->body, "{\"action\":\"opened\"}"));
    assert(answer_to("{\"action\": \"opened\"}").kind == HL_UNCHANGED);
    assert(answer_to("{\"zen\": \"x\"}").kind == HL_DROP);
    assert(answer_to("{}").kind == HL_UNCHANGED);
    const char *const others[] = {"", "action=opened", "[1]", "}", "{", "{\"action\"}", "{\"action\": 1"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert(answer_to(others[i]).kind == HL_INVALID_INPUT);
}
