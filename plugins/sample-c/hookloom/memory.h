/* When memory of hl_allocate ends. Not for plugins. */

#ifndef HOOKLOOM_MEMORY_H
#define HOOKLOOM_MEMORY_H

#include "hookloom.h"

/* What was taken until now stays: it belongs to the configuration. */
void hl_keep(void);
/* Frees what was taken since then. */
void hl_release(void);

#endif
