#include "journey_rows.h"

#include <float.h>
#include <math.h>

#include "json.h"

#define NOTHING SPAN("-1e308")

/* Between these JSON has no exponent. Sums of our times are far within. */
#define LEAST 1.0
#define MOST 1e15

#define SCORE_BYTES 32
/* ``log2_score`` of a sum as JSON. */
static enum verdict score_text(uint8_t *to, const struct sum *sum, const struct journey_rows *rows, struct span *text) {
    int64_t exponent;
    if (!sum->size)
        return *text = NOTHING, TAKEN;
    double fraction = fraction_of(sum, &exponent);
    if (exponent <= DBL_MAX_EXP) {
        fraction = ldexp(fraction, (int)exponent);
        exponent = 0;
    }
    PyObject *number = PyFloat_FromDouble(fraction);
    PyObject *log2 = number ? PyObject_CallFunctionObjArgs(rows->log2, number, NULL) : NULL;
    Py_XDECREF(number);
    if (!log2)
        return FAILED;
    double found = PyFloat_AsDouble(log2);
    Py_DECREF(log2);
    if (PyErr_Occurred())
        return FAILED;
    found += (double)exponent;
    found -= rows->of_thousand;
    if (!(LEAST <= found && found < MOST))
        return REFUSED;
    char *digits = PyOS_double_to_string(found, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (!digits)
        return PyErr_NoMemory(), FAILED;
    size_t size = strlen(digits);
    enum verdict verdict = size <= SCORE_BYTES ? TAKEN : REFUSED;
    if (verdict == TAKEN)
        *text = (struct span){memcpy(to, digits, size), size};
    PyMem_Free(digits);
    return verdict;
}

static enum verdict write_person(const struct journey *journey, const struct person *person, struct journey_rows *rows) {
    uint8_t score_bytes[SCORE_BYTES], touches[DECIMAL_BYTES], number[DECIMAL_BYTES];
    int sign = sign_of(&person->score);
    struct span score;
    enum verdict verdict = score_text(score_bytes, &person->score, rows, &score);
    if (verdict != TAKEN)
        return verdict;
    struct span pieces[] = {
        SPAN("{\"tenant\":\""), journey->account.tenant, SPAN("\",\"account_id\":\""), account_id(&journey->account),
        SPAN("\",\"person_id\":\""), person->id, SPAN("\",\"log2_score\":"), score,
        SPAN(",\"sign\":"), sign < 0 ? SPAN("-1") : sign ? SPAN("1") : SPAN("0"),
        SPAN(",\"touches\":"), decimal(touches, person->touches), SPAN(",\"half_life_days\":"), rows->half_life_days,
        rows->version_and_address, decimal(number, rows->first_engagement + rows->engagement.lines), SPAN("}"),
    };
    return add_line(&rows->engagement, pieces, sizeof pieces / sizeof *pieces) ? TAKEN : FAILED;
}

/* A text of the header that needs no escape. */
static bool plain(const struct journey *journey, int field, struct span *text) {
    return text_of(journey->header.field[field], text) && needs_no_escape(*text);
}

static enum verdict write_account(const struct journey *journey, struct journey_rows *rows) {
    const struct header *header = &journey->header;
    const struct name *account = &journey->account;
    struct span name, domain, parent, owner, stage, score;
    uint8_t people[DECIMAL_BYTES], touches[DECIMAL_BYTES], first[DECIMAL_BYTES], last[DECIMAL_BYTES], number[DECIMAL_BYTES];
    uint8_t score_bytes[SCORE_BYTES];
    if (!plain(journey, HEADER_name, &name) || !plain(journey, HEADER_domain, &domain) || !plain(journey, HEADER_parent, &parent) ||
        !plain(journey, HEADER_owner, &owner) || !plain(journey, HEADER_stage, &stage) ||
        (!stage.size && !plain(journey, HEADER_profile_stage, &stage)))
        return REFUSED;
    if (!domain.size && account->kind == 'd')
        domain = account->value;
    if (!name.size)
        name = domain.size ? domain : account->value;
    enum verdict verdict = TAKEN;
    if (sign_of(&header->score) > 0)
        verdict = score_text(score_bytes, &header->score, rows, &score);
    else
        score = NOTHING;
    if (verdict != TAKEN)
        return verdict;
    struct span pieces[] = {
        SPAN("{\"tenant\":\""), account->tenant, SPAN("\",\"account_id\":\""), account_id(account),
        SPAN("\",\"name\":\""), name, SPAN("\",\"domain\":\""), domain, SPAN("\",\"parent_id\":\""), parent,
        SPAN("\",\"owner\":\""), owner, SPAN("\",\"people\":"), decimal(people, header->people),
        SPAN(",\"touches\":"), decimal(touches, header->touches),
        SPAN(",\"first_touch_at\":"), decimal(first, header->first_touch_at),
        SPAN(",\"last_touch_at\":"), decimal(last, header->last_touch_at), SPAN(",\"stage\":\""), stage,
        SPAN("\",\"log2_score\":"), score, SPAN(",\"half_life_days\":"), rows->half_life_days,
        SPAN(",\"deleted\":false"), rows->version_and_address,
        decimal(number, rows->first_account + rows->accounts.lines), SPAN("}"),
    };
    return add_line(&rows->accounts, pieces, sizeof pieces / sizeof *pieces) ? TAKEN : FAILED;
}

enum verdict write_rows(const struct journey *journey, struct journey_rows *rows) {
    for (int i = 0; i < journey->people; i++) {
        enum verdict verdict = write_person(journey, &journey->person[i], rows);
        if (verdict != TAKEN)
            return verdict;
    }
    return account_id(&journey->account).size ? write_account(journey, rows) : TAKEN;
}
