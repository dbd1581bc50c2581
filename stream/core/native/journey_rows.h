/* The rows of an account that changed: each person's engagement and the account itself (``stream.core.account_rows``). */
#ifndef TOUCHLINE_JOURNEY_ROWS_H
#define TOUCHLINE_JOURNEY_ROWS_H

#include "buffer.h"
#include "journey.h"

/* What holds for all rows of a frame, and from which number on they are counted. */
struct journey_rows {
    struct buffer engagement, accounts;
    int64_t first_engagement, first_account;
    struct span version_and_address, half_life_days; /* JSON */
    PyObject *log2;                                  /* of Python's: a number is the same whoever computes it */
    double of_thousand;                              /* what ``stream.core.engagement.log2_score`` takes away */
};

/* REFUSED if a text would have to be escaped. */
enum verdict write_rows(const struct journey *journey, struct journey_rows *rows);

#endif
