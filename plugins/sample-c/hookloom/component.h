/* What a plugin's functions have to do with the contract: the conversions that all kinds
   of plugins share. */

#ifndef HOOKLOOM_COMPONENT_H
#define HOOKLOOM_COMPONENT_H

#include "contract.h"
#include "hookloom.h"

hl_event hl_lift_event(const hookloom_plugin_types_event_t *event);
contract_string_t hl_lower_string(const char *text);
/* A message of the contract. */
void hl_lower_message(const hl_message *message, hookloom_plugin_types_message_t *lowered);
/* The error of an answer that is no answer of this kind of plugin. */
void hl_lower_error(const hl_answer *answer, hookloom_plugin_types_error_t *error);
/* Frees what the call took, and its event; returns what the bindings want to know. */
bool hl_end(bool answered, hookloom_plugin_types_event_t *event);

#endif
