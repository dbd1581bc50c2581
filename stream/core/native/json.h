/* JSON, of one line. Readers go through the text from ``at`` and return where they came to, NULL if it does not fit. What they
   accept, msgspec's decoder accepts, too. */
#ifndef TOUCHLINE_JSON_H
#define TOUCHLINE_JSON_H

#include "span.h"

const uint8_t *past_word(const uint8_t *at, const uint8_t *end, const char *word, size_t size);
#define PAST(at, end, word) past_word(at, end, word, sizeof word - 1)

/* ``at`` is behind the opening quote. */
const uint8_t *past_text(const uint8_t *at, const uint8_t *end);
/* An integer of at most 18 digits. */
const uint8_t *past_whole(const uint8_t *at, const uint8_t *end, int64_t *number);
const uint8_t *past_truth(const uint8_t *at, const uint8_t *end);
/* A key of an object, and its colon. */
const uint8_t *past_key(const uint8_t *at, const uint8_t *end);
/* One value of any kind. */
const uint8_t *past_any(const uint8_t *at, const uint8_t *end);

/* Whether a text is UTF-8, and in JSON the same between quotes. */
bool needs_no_escape(struct span text);

#endif
