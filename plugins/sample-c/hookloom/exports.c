#include "component.h"

bool exports_hookloom_plugin_filter_filter(exports_hookloom_plugin_filter_event_t *event,
                                           exports_hookloom_plugin_filter_verdict_t *verdict,
                                           exports_hookloom_plugin_filter_error_t *error) {
    hl_event lifted = hl_lift_event(event);
    hl_answer answer = plugin_filter(&lifted);
    switch (answer.kind) {
    case HL_PASS:
        verdict->tag = EXPORTS_HOOKLOOM_PLUGIN_FILTER_VERDICT_PASS;
        return hl_end(true, event);
    case HL_DROP:
        verdict->tag = EXPORTS_HOOKLOOM_PLUGIN_FILTER_VERDICT_DROP;
        verdict->val.drop = hl_lower_string(answer.reason);
        return hl_end(true, event);
    default:
        hl_lower_error(&answer, error);
        return hl_end(false, event);
    }
}
