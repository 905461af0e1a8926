#include "component.h"

#include <stdlib.h>

bool exports_hookloom_plugin_transform_transform(exports_hookloom_plugin_transform_event_t *event,
                                                 exports_hookloom_plugin_transform_outcome_t *outcome,
                                                 exports_hookloom_plugin_transform_error_t *error) {
    hl_event lifted = hl_lift_event(event);
    hl_answer answer = plugin_transform(&lifted);
    switch (answer.kind) {
    case HL_UNCHANGED:
        outcome->tag = EXPORTS_HOOKLOOM_PLUGIN_TRANSFORM_OUTCOME_UNCHANGED;
        return hl_end(true, event);
    case HL_DROP:
        outcome->tag = EXPORTS_HOOKLOOM_PLUGIN_TRANSFORM_OUTCOME_DROP;
        outcome->val.drop = hl_lower_string(answer.reason);
        return hl_end(true, event);
    case HL_REPLACE:
        outcome->tag = EXPORTS_HOOKLOOM_PLUGIN_TRANSFORM_OUTCOME_REPLACE;
        hl_lower_message(answer.messages, &outcome->val.replace);
        return hl_end(true, event);
    case HL_SPLIT:
        outcome->tag = EXPORTS_HOOKLOOM_PLUGIN_TRANSFORM_OUTCOME_SPLIT;
        outcome->val.split.len = answer.message_count;
        outcome->val.split.ptr = calloc(answer.message_count + 1, sizeof *outcome->val.split.ptr);
        if (!outcome->val.split.ptr) abort();
        for (size_t i = 0; i < answer.message_count; i++)
            hl_lower_message(&answer.messages[i], &outcome->val.split.ptr[i]);
        return hl_end(true, event);
    default:
        hl_lower_error(&answer, error);
        return hl_end(false, event);
    }
}
