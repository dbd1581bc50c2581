/* A session that a line begins. */
#ifndef TOUCHLINE_OPENING_H
#define TOUCHLINE_OPENING_H

#include "answers.h"

/* From here on the session of ``record`` is the new one, before its first hit; what was the newest session stays as it
   is. False if Python's way is to begin it. */
bool open_session(struct visit *visit, const struct line *line, struct span id, const struct page *page);

#endif
