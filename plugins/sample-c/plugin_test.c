#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hookloom/hookloom.h"

static bool passes(const char *id) {
    hl_event event = {.id = hl_text(id)};
    return plugin_filter(&event).kind == HL_PASS;
}

static void a_sample_is_of_the_size_that_was_asked_for(void) {
    int passed = 0;
    assert(plugin_configure(hl_text("{\"one_of\": 10}")) == NULL);
    for (int i = 0; i < 10000; i++) {
        char id[32];
        snprintf(id, sizeof id, "evt_%06d", i);
        passed += passes(id);
        assert(passes(id) == passes(id));
    }
    assert(passed > 900 && passed < 1100);
}

static void everything_is_a_sample_of_one_in_one(void) {
    assert(plugin_configure(hl_text("{\"one_of\": 1}")) == NULL);
    assert(passes("evt_a") && passes("evt_b"));
}

static void what_is_no_number_of_events_is_refused(void) {
    const char *const refused[] = {"null", "{}", "{\"one_of\": 0}", "{\"one_of\": -3}", "{\"one_of\": 1.5}",
                                   "{\"one_of\": \"10\"}", "{\"one_of\": 99999999999999999999}"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert(plugin_configure(hl_text(refused[i])) != NULL);
    const char *why = plugin_configure(hl_text("{\"oneof\": 10}"));
    assert(strcmp(why, "unknown setting \"oneof\"; there is: one_of") == 0);
}

/* Each of them is read as three bytes: were there room for two, what is allocated next
   would find its place overwritten. */
static void escapes_without_digits_have_room(void) {
    enum { COUNT = 5000 };
    char *written = malloc(COUNT * 2 + 2);
    assert(written);
    written[0] = written[COUNT * 2 + 1] = '"';
    for (size_t i = 0; i < COUNT; i++) memcpy(written + 1 + i * 2, "\\u", 2);
    hl_bytes text = hl_json_text((hl_bytes){written, COUNT * 2 + 2});
    const char *next = hl_string(hl_text("next"));
    assert(text.length == COUNT * 3 && strcmp(next, "next") == 0);
    for (size_t i = 0; i < COUNT; i++) assert(memcmp(text.at + i * 3, "\xef\xbf\xbd", 3) == 0);
    free(written);
    assert(hl_equal(hl_json_text(hl_text("\"\\u00e9\\ud83d\\ude00\\n\"")), "\xc3\xa9\xf0\x9f\x98\x80\n"));
}

static hl_answer in_two(void) {
    hl_message parts[2] = {{.type = "first"}, {.type = "second"}};
    return hl_split(parts, 2);
}

static void the_messages_of_a_split_are_its_own(void) {
    hl_message given = {.type = "before"};
    hl_answer answer = hl_split(&given, 1);
    given.type = "after";
    assert(strcmp(answer.messages[0].type, "before") == 0);
    answer = in_two();
    assert(answer.message_count == 2 && strcmp(answer.messages[1].type, "second") == 0);
    assert(hl_split(NULL, 0).message_count == 0);
}

int main(void) {
    a_sample_is_of_the_size_that_was_asked_for();
    everything_is_a_sample_of_one_in_one();
    what_is_no_number_of_events_is_refused();
    escapes_without_digits_have_room();
    the_messages_of_a_split_are_its_own();
}
