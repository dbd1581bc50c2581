#include "journey.h"

/* Numbers that are added to each other or to a weight stay far within 64 bits. */
#define POINTS (INT64_C(1) << 30)

/* -(2**62), "before all times" (``schemas.messages.BEGINNING``). */
static const uint8_t beginning[] = {0xD3, 0xC0, 0, 0, 0, 0, 0, 0, 0};

/* State keys: parts with NUL between them. */
struct state_key {
    size_t size;
    char text[3 * NAME_BYTES + 64];
};

static void begin_key(struct state_key *key, char kind, const struct journey *journey) {
    struct span account = journey->account.whole;
    key->text[0] = kind;
    key->text[1] = 0;
    memcpy(key->text + 2, account.at, account.size);
    key->size = 2 + account.size;
}

static void add_part(struct state_key *key, struct span part) {
    key->text[key->size++] = 0;
    if (part.size)
        memcpy(key->text + key->size, part.at, part.size);
    key->size += part.size;
}

/* A time (``stream.core.state.time_part``): 16 hexadecimal digits. */
static void add_time(struct state_key *key, int64_t at) {
    uint64_t left = (uint64_t)(at + (INT64_C(1) << 62));
    uint8_t digits[16];
    for (int i = 15; i >= 0; i--, left >>= 4)
        digits[i] = (uint8_t)"0123456789abcdef"[left & 15];
    add_part(key, SPAN_OF(digits));
}

static void touch_key(struct state_key *key, const struct journey *journey, const struct touch *touch) {
    begin_key(key, 't', journey);
    add_time(key, touch->at);
    add_part(key, touch->id);
}

static void person_key(struct state_key *key, const struct journey *journey, struct span id) {
    begin_key(key, 'p', journey);
    add_part(key, id);
}

static void day_key(struct state_key *key, const struct journey *journey, int64_t number) {
    uint8_t digits[6];
    for (int i = 5; i >= 0; i--, number /= 10)
        digits[i] = (uint8_t)('0' + number % 10);
    begin_key(key, 'g', journey);
    add_part(key, SPAN_OF(digits));
}

/* The record under a key: a new reference, None if there is none, NULL with an exception. */
static PyObject *record_of(const struct journey *journey, const struct state_key *key) {
    PyObject *name = PyUnicode_DecodeUTF8(key->text, (Py_ssize_t)key->size, NULL);
    PyObject *found = name ? get_record(journey->records, name) : NULL;
    Py_XDECREF(name);
    return found;
}

/* The fields of a record; REFUSED if it is not as the struct is today. */
static enum verdict fields_of(PyObject *packed, struct span *field, uint32_t count) {
    struct span whole;
    if (!span_of_bytes(packed, &whole))
        return FAILED;
    struct reader reader = {whole.at, whole.at + whole.size};
    return read_fields(&reader, field, count) && reader.at == reader.end ? TAKEN : REFUSED;
}

static bool small(struct span raw, int64_t *number) {
    return whole_of(raw, number) && -(INT64_C(1) << 40) < *number && *number < INT64_C(1) << 40;
}

static bool sum_of(struct span raw, struct sum *sum) {
    struct span packed;
    return bytes_of(raw, &packed) && read_sum(packed, sum);
}

static bool read_header(struct journey *journey) {
    struct header *header = &journey->header;
    const struct span *field = header->field;
    int64_t half_life, alerts_from;
    bool owing;
    return small(field[HEADER_entries], &header->entries) && whole_of(field[HEADER_newest_at], &header->newest_at) &&
           small(field[HEADER_touches], &header->touches) && small(field[HEADER_people], &header->people) &&
           whole_of(field[HEADER_first_touch_at], &header->first_touch_at) &&
           whole_of(field[HEADER_last_touch_at], &header->last_touch_at) && sum_of(field[HEADER_score], &header->score) &&
           small(field[HEADER_newest_day], &header->newest_day) &&
           whole_of(field[HEADER_half_life_ms], &half_life) && (!half_life || half_life == journey->scoring->growth.half_life) &&
           truth_of(field[HEADER_owing], &owing) && !owing &&
           small(field[HEADER_alerts_from], &alerts_from) && alerts_from < 0;
}

/* Whether the days were run through the alerts' rules as they are. Of a new account there are none yet. */
static bool knows_rules(struct journey *journey, bool is_new) {
    struct span *known = &journey->header.field[HEADER_alert_rules];
    if (!account_id(&journey->account).size)
        return true;
    if (is_new)
        *known = journey->scoring->rules_name;
    return same(*known, journey->scoring->rules_name);
}

enum verdict begin_journey(struct journey *journey, const struct scoring *scoring, struct span account,
                           const struct records *records) {
    struct state_key key;
    journey->scoring = scoring;
    journey->records = records;
    journey->packed = journey->day.packed = NULL;
    journey->touches = journey->changes = journey->people = 0;
    journey->day.number = -1;
    journey->day.alerts = 0;
    journey->said_at = INT64_MIN;
    if (account.size > NAME_BYTES || !account.size || !read_name(account, &journey->account))
        return REFUSED;
    begin_key(&key, 'h', journey);
    journey->packed = record_of(journey, &key);
    if (!journey->packed)
        return FAILED;
    bool is_new = journey->packed == Py_None;
    PyObject *packed = is_new ? scoring->blank : journey->packed;
    enum verdict verdict = fields_of(packed, journey->header.field, HEADER_COUNT);
    return verdict == TAKEN && !(read_header(journey) && knows_rules(journey, is_new)) ? REFUSED : verdict;
}

static bool read_stored(const struct span *field, struct touch *touch) {
    return text_of(field[STORED_id], &touch->id) && whole_of(field[STORED_at], &touch->at) &&
           text_of(field[STORED_type], &touch->type) && text_of(field[STORED_channel], &touch->channel) &&
           text_of(field[STORED_person], &touch->person) && whole_of(field[STORED_points], &touch->points) &&
           whole_of(field[STORED_last_at], &touch->last_at) && text_of(field[STORED_utm_source], &touch->utm_source) &&
           text_of(field[STORED_utm_medium], &touch->utm_medium) && text_of(field[STORED_utm_campaign], &touch->utm_campaign) &&
           truth_of(field[STORED_eligible], &touch->eligible);
}

static bool usable(const struct touch *touch) {
    return touch->id.size <= NAME_BYTES && touch->person.size <= NAME_BYTES && -POINTS < touch->points && touch->points < POINTS;
}

/* What is stored under the touch's key, if one may be there. */
static enum verdict find_before(struct journey *journey, struct change *change) {
    struct span field[STORED_COUNT];
    struct state_key key;
    if (change->after.at > journey->header.newest_at)
        return TAKEN;
    touch_key(&key, journey, &change->after);
    PyObject *packed = record_of(journey, &key);
    if (!packed)
        return FAILED;
    change->packed = packed;
    if (packed == Py_None)
        return TAKEN;
    change->existed = true;
    enum verdict verdict = fields_of(packed, field, STORED_COUNT);
    if (verdict != TAKEN)
        return verdict;
    return read_stored(field, &change->before) && usable(&change->before) && change->before.at == change->after.at &&
           same(change->before.id, change->after.id) ? TAKEN : REFUSED;
}

static bool equal(const struct touch *one, const struct touch *other) {
    return one->at == other->at && one->points == other->points && one->last_at == other->last_at &&
           one->eligible == other->eligible && same(one->id, other->id) && same(one->type, other->type) &&
           same(one->channel, other->channel) && same(one->person, other->person) &&
           same(one->utm_source, other->utm_source) && same(one->utm_medium, other->utm_medium) &&
           same(one->utm_campaign, other->utm_campaign);
}

static struct change *find_touch(struct journey *journey, const struct touch *touch) {
    for (int i = 0; i < journey->touches; i++)
        if (journey->touch[i].after.at == touch->at && same(journey->touch[i].after.id, touch->id))
            return &journey->touch[i];
    return NULL;
}

static bool is_among(const struct journey *journey, const struct change *change) {
    for (int i = 0; i < journey->changes; i++)
        if (journey->changed[i] == change)
            return true;
    return false;
}

enum verdict take_touch(struct journey *journey, struct span line) {
    struct touch touch;
    int64_t at;
    if (!read_message(line, &touch, &at) || !usable(&touch))
        return REFUSED;
    if (at > journey->said_at)
        journey->said_at = at;
    struct change *change = find_touch(journey, &touch);
    bool differs = true;
    if (change) {
        differs = !equal(&touch, &change->after);
    } else {
        if (journey->touches == TOUCHES)
            return REFUSED;
        change = &journey->touch[journey->touches++];
        change->existed = false;
        change->packed = NULL;
        change->after = touch;
        enum verdict verdict = find_before(journey, change);
        if (verdict != TAKEN)
            return verdict;
        differs = !change->existed || !equal(&touch, &change->before);
    }
    change->after = touch;
    if (differs && !is_among(journey, change))
        journey->changed[journey->changes++] = change;
    return TAKEN;
}

/* What changed back within the frame did not change. */
static void forget_unchanged(struct journey *journey) {
    int kept = 0;
    for (int i = 0; i < journey->changes; i++) {
        struct change *change = journey->changed[i];
        if (!change->existed || !equal(&change->before, &change->after))
            journey->changed[kept++] = change;
    }
    journey->changes = kept;
}

static bool was_eligible(const struct change *change) { return change->existed && change->before.eligible; }

/* False if the first or last touch may be another one now: they would have to be looked for. */
static bool count_touches(struct journey *journey) {
    struct header *header = &journey->header;
    for (int i = 0; i < journey->changes; i++) {
        const struct change *change = journey->changed[i];
        int64_t at = change->after.at;
        header->entries += !change->existed;
        if (at > header->newest_at)
            header->newest_at = at;
        if (was_eligible(change) && !change->after.eligible)
            return false;
        if (was_eligible(change) || !change->after.eligible)
            continue;
        if (at > header->last_touch_at || !header->touches)
            header->last_touch_at = at;
        if (at < header->first_touch_at || !header->touches)
            header->first_touch_at = at;
        header->touches++;
    }
    return true;
}

static bool same_source(const struct touch *one, const struct touch *other) {
    return same(one->channel, other->channel) && same(one->utm_source, other->utm_source) &&
           same(one->utm_medium, other->utm_medium) && same(one->utm_campaign, other->utm_campaign);
}

/* Whether nothing has to be booked (``stream.core.attribution.ledger.book``): no change that counts is before a conversion. */
static bool books_nothing(const struct journey *journey) {
    struct span last = journey->header.field[HEADER_last_conversion_at];
    int64_t last_at;
    if (same(last, SPAN_OF(beginning)))
        return true;
    if (!whole_of(last, &last_at))
        return false;
    for (int i = 0; i < journey->changes; i++) {
        const struct change *change = journey->changed[i];
        bool counts = was_eligible(change) ? !same_source(&change->before, &change->after) : change->after.eligible;
        if (counts && change->after.at <= last_at)
            return false;
    }
    return true;
}

/* The tally of a person, on the list of those that change (``stream.core.engagement._tally``). */
static enum verdict find_person(struct journey *journey, struct span node, struct person **found) {
    struct state_key key;
    struct name name;
    struct span field[TALLY_COUNT];
    if (!read_name(node, &name))
        return REFUSED;
    for (int i = 0; i < journey->people; i++)
        if (same(journey->person[i].id, name.value))
            return *found = &journey->person[i], TAKEN;
    if (journey->people == PEOPLE)
        return REFUSED;
    struct person *person = &journey->person[journey->people];
    person_key(&key, journey, name.value);
    person->packed = record_of(journey, &key);
    if (!person->packed)
        return FAILED;
    journey->people++;
    person->id = name.value;
    person->entries = person->touches = 0;
    person->score = (struct sum){.size = 0};
    *found = person;
    if (person->packed == Py_None)
        return TAKEN;
    enum verdict verdict = fields_of(person->packed, field, TALLY_COUNT);
    if (verdict != TAKEN)
        return verdict;
    if (!small(field[TALLY_entries], &person->entries) || !small(field[TALLY_touches], &person->touches) ||
        !sum_of(field[TALLY_score], &person->score))
        return REFUSED;
    if (person->id.size && person->touches)
        journey->header.people--;
    return TAKEN;
}

/* A touch with a person, or without any more. */
static enum verdict count_entry(struct journey *journey, const struct change *change, const struct touch *touch, int sign) {
    struct person *person;
    enum verdict verdict = find_person(journey, touch->person, &person);
    if (verdict != TAKEN)
        return verdict;
    person->entries += sign;
    person->touches += touch->eligible ? sign : 0;
    return add_to_sum(&person->score, sign * touch->points, change->weight) ? TAKEN : REFUSED;
}

static enum verdict change_person(struct journey *journey, const struct change *change) {
    const struct touch *before = &change->before, *after = &change->after;
    struct person *person;
    enum verdict verdict;
    if (change->existed && same(before->person, after->person) && before->eligible == after->eligible) {
        if (before->points == after->points)
            return TAKEN;
        verdict = find_person(journey, after->person, &person);
        if (verdict != TAKEN)
            return verdict;
        return add_to_sum(&person->score, after->points - before->points, change->weight) ? TAKEN : REFUSED;
    }
    verdict = change->existed ? count_entry(journey, change, before, -1) : TAKEN;
    return verdict == TAKEN ? count_entry(journey, change, after, 1) : verdict;
}

/* False if it is not the only day that changes. */
static bool change_day(struct journey *journey, const struct change *change) {
    struct day *day = &journey->day;
    int64_t lost = change->existed ? change->before.points : 0, gained = change->after.points, number = day_of(change->after.at);
    if (lost == gained)
        return true;
    if (day->number < 0) {
        day->number = number;
        day->entries = day->negatives = 0;
        day->change = (struct sum){.size = 0};
        day->grew = true;
    }
    day->entries += (gained != 0) - (lost != 0);
    day->negatives += (gained < 0) - (lost < 0);
    day->grew = day->grew && gained > lost;
    return day->number == number && add_to_sum(&day->change, gained - lost, change->weight) &&
           add_to_sum(&journey->header.score, gained - lost, change->weight);
}

static enum verdict change_engagement(struct journey *journey) {
    for (int i = 0; i < journey->changes; i++) {
        struct change *change = journey->changed[i];
        change->weight = weight_at(&journey->scoring->growth, change->after.at);
        enum verdict verdict = change_person(journey, change);
        if (verdict != TAKEN)
            return verdict;
        if (!change_day(journey, change))
            return REFUSED;
    }
    for (int i = 0; i < journey->people; i++) {
        const struct person *person = &journey->person[i];
        if (!person->entries) /* it goes: Python's way */
            return REFUSED;
        if (person->id.size && person->touches)
            journey->header.people++;
    }
    return TAKEN;
}

/* Whether an array of texts has one. False in ``valid`` if it is no such array. */
static bool has_text(struct span array, struct span text, bool *valid) {
    struct reader reader = {array.at, array.at + array.size};
    struct span raw, body;
    uint32_t count;
    bool found = false;
    *valid = read_array(&reader, &count);
    for (uint32_t i = 0; *valid && i < count; i++) {
        *valid = skip_value(&reader, &raw) && text_of(raw, &body);
        found = found || (*valid && same(raw, text));
    }
    return found;
}

/* How many alerts of the day stand, and whether one is the rule's. */
static bool read_fired(struct span map, struct span rule, uint32_t *count, bool *found) {
    struct reader reader = {map.at, map.at + map.size};
    struct span key, fired, field[FIRED_COUNT];
    *found = false;
    if (!read_map(&reader, count))
        return false;
    for (uint32_t i = 0; i < *count; i++) {
        if (!skip_value(&reader, &key) || !skip_value(&reader, &fired))
            return false;
        struct reader inner = {fired.at, fired.at + fired.size};
        if (!read_fields(&inner, field, FIRED_COUNT))
            return false;
        *found = *found || same(key, rule);
    }
    return true;
}

/* The newest day's record as the one that changes, or as the one before it. */
static bool read_day(struct journey *journey, const struct span *field) {
    struct day *day = &journey->day;
    int64_t entries, negatives;
    if (day->number > journey->header.newest_day) {
        day->before = field[DAY_after];
        return true;
    }
    day->before = field[DAY_before];
    day->fired = field[DAY_fired];
    if (!sum_of(field[DAY_score], &day->score) || !small(field[DAY_entries], &entries) || !small(field[DAY_negatives], &negatives))
        return false;
    day->entries += entries;
    day->negatives += negatives;
    return true;
}

/* The day with what the frame changes in it. REFUSED if a later one is there. */
static enum verdict find_day(struct journey *journey) {
    struct day *day = &journey->day;
    struct state_key key;
    struct span field[DAY_COUNT];
    int64_t newest = journey->header.newest_day;
    day->before = PACKED_ARRAY;
    day->fired = PACKED_MAP;
    day->score = (struct sum){.size = 0};
    if (day->number < newest)
        return REFUSED;
    if (newest >= 0) {
        day_key(&key, journey, newest);
        day->packed = record_of(journey, &key);
        if (!day->packed)
            return FAILED;
        enum verdict verdict = day->packed == Py_None ? REFUSED : fields_of(day->packed, field, DAY_COUNT);
        if (verdict != TAKEN)
            return verdict;
        if (!read_day(journey, field))
            return REFUSED;
    }
    return day->entries > 0 && add_sums(&day->score, &day->change, false) ? TAKEN : REFUSED; /* without entries it goes */
}

/* ``stream.core.intent._Run._reaches``. REFUSED if touches would have to be looked at. */
static enum verdict reaches(const struct journey *journey, const struct alert *alert, bool fired, bool *reached) {
    const struct day *day = &journey->day;
    const struct growth *growth = &journey->scoring->growth;
    int at_end, at_start;
    *reached = true;
    if (fired && day->grew)
        return TAKEN;
    if (!compare_sum(&journey->header.score, alert->threshold, weight_at(growth, (day->number + 1) * DAY_MS), &at_end) ||
        !compare_sum(&journey->header.score, alert->threshold, weight_at(growth, day->number * DAY_MS), &at_start))
        return REFUSED;
    if (at_end >= 0)
        return TAKEN;
    *reached = false;
    return !day->negatives && at_start < 0 ? TAKEN : REFUSED;
}

/* The machines over the day (``stream.core.intent._Run._run_day``). REFUSED if an alert holds no longer. */
static enum verdict run_alerts(struct journey *journey) {
    const struct scoring *scoring = journey->scoring;
    struct day *day = &journey->day;
    uint32_t stand = 0, fired = 0;
    day->disarmed = 0;
    day->score_before = journey->header.score;
    if (!add_sums(&day->score_before, &day->score, true))
        return REFUSED;
    for (int i = 0; i < scoring->alerts; i++) {
        const struct alert *alert = &scoring->alert[i];
        bool valid, has_fired, reached = false;
        int sign;
        if (!read_fired(day->fired, alert->name, &fired, &has_fired) ||
            !compare_sum(&day->score_before, alert->rearmed, weight_at(&scoring->growth, day->number * DAY_MS), &sign))
            return REFUSED;
        bool armed = !has_text(day->before, alert->name, &valid) || sign <= 0;
        if (!valid)
            return REFUSED;
        enum verdict verdict = armed ? reaches(journey, alert, has_fired, &reached) : TAKEN;
        if (verdict != TAKEN)
            return verdict;
        if (reached && !has_fired)
            day->fires[day->alerts++] = (uint8_t)i;
        stand += reached && has_fired;
        if (reached || !armed)
            day->after[day->disarmed++] = (uint8_t)i;
    }
    if (!scoring->alerts && !same(day->fired, PACKED_MAP))
        return REFUSED;
    return stand == fired ? TAKEN : REFUSED;
}

enum verdict settle_journey(struct journey *journey) {
    forget_unchanged(journey);
    if (!journey->changes)
        return TAKEN;
    if (!count_touches(journey) || journey->header.entries <= 0 || !books_nothing(journey))
        return REFUSED;
    enum verdict verdict = change_engagement(journey);
    if (verdict != TAKEN || journey->day.number < 0 || !account_id(&journey->account).size)
        return verdict;
    verdict = find_day(journey);
    return verdict == TAKEN ? run_alerts(journey) : verdict;
}

/* Takes the reference to ``record``, which may be NULL. */
static bool stored(const struct journey *journey, const struct state_key *key, PyObject *record) {
    PyObject *name = record ? PyUnicode_DecodeUTF8(key->text, (Py_ssize_t)key->size, NULL) : NULL;
    bool done = name && put_record(journey->records, name, record);
    Py_XDECREF(record);
    Py_XDECREF(name);
    return done;
}

static bool store_touch(const struct journey *journey, const struct touch *touch) {
    static const uint8_t head[] = {0x90 | STORED_COUNT};
    const struct span text[] = {touch->id, touch->type, touch->channel, touch->person, touch->utm_source, touch->utm_medium,
                                touch->utm_campaign};
    uint8_t at[HEAD_BYTES], points[HEAD_BYTES], last_at[HEAD_BYTES], heads[7][HEAD_BYTES];
    struct span packed[7];
    struct state_key key;
    for (int i = 0; i < 7; i++)
        packed[i] = (struct span){heads[i], write_text_head(heads[i], text[i].size)};
    struct span pieces[] = {
        SPAN_OF(head), packed[0], text[0], {at, write_whole(at, touch->at)}, packed[1], text[1], packed[2], text[2], packed[3],
        text[3], {points, write_whole(points, touch->points)}, {last_at, write_whole(last_at, touch->last_at)}, packed[4], text[4],
        packed[5], text[5], packed[6], text[6], touch->eligible ? PACKED_YES : PACKED_NO,
    };
    touch_key(&key, journey, touch);
    return stored(journey, &key, joined(pieces, sizeof pieces / sizeof *pieces));
}

/* A sum in MessagePack: its head and itself. */
struct packed_sum {
    uint8_t head[HEAD_BYTES], body[SUM_BYTES];
    struct span pieces[2];
};

static void pack_sum(struct packed_sum *packed, const struct sum *sum) {
    struct sum written = *sum;
    packed->pieces[1] = write_sum(packed->body, &written);
    packed->pieces[0] = (struct span){packed->head, write_bytes_head(packed->head, packed->pieces[1].size)};
}

static bool store_person(const struct journey *journey, const struct person *person) {
    static const uint8_t head[] = {0x90 | TALLY_COUNT};
    uint8_t entries[HEAD_BYTES], touches[HEAD_BYTES];
    struct packed_sum score;
    struct state_key key;
    pack_sum(&score, &person->score);
    struct span pieces[] = {
        SPAN_OF(head), {entries, write_whole(entries, person->entries)}, {touches, write_whole(touches, person->touches)},
        score.pieces[0], score.pieces[1],
    };
    person_key(&key, journey, person->id);
    return stored(journey, &key, joined(pieces, sizeof pieces / sizeof *pieces));
}

static bool store_day(const struct journey *journey) {
    static const uint8_t head[] = {0x90 | DAY_COUNT};
    const struct day *day = &journey->day;
    uint8_t entries[HEAD_BYTES], negatives[HEAD_BYTES], after_head[HEAD_BYTES];
    struct span pieces[8 + ALERTS];
    struct packed_sum score;
    struct state_key key;
    int count = 0;
    pack_sum(&score, &day->score);
    pieces[count++] = SPAN_OF(head);
    pieces[count++] = score.pieces[0];
    pieces[count++] = score.pieces[1];
    pieces[count++] = (struct span){entries, write_whole(entries, day->entries)};
    pieces[count++] = (struct span){negatives, write_whole(negatives, day->negatives)};
    pieces[count++] = day->before;
    pieces[count++] = (struct span){after_head, write_array_head(after_head, (uint32_t)day->disarmed)};
    for (int i = 0; i < day->disarmed; i++)
        pieces[count++] = journey->scoring->alert[day->after[i]].name;
    pieces[count++] = day->fired;
    day_key(&key, journey, day->number);
    return stored(journey, &key, joined(pieces, count));
}

static bool store_header(struct journey *journey) {
    struct header *header = &journey->header;
    struct span *field = header->field, pieces[1 + HEADER_COUNT + 1];
    uint8_t head[HEAD_BYTES], number[8][HEAD_BYTES];
    struct packed_sum score;
    struct state_key key;
    const struct { int field; int64_t number; } counts[] = {
        {HEADER_entries, header->entries}, {HEADER_newest_at, header->newest_at}, {HEADER_touches, header->touches},
        {HEADER_people, header->people}, {HEADER_first_touch_at, header->first_touch_at},
        {HEADER_last_touch_at, header->last_touch_at}, {HEADER_half_life_ms, journey->scoring->growth.half_life},
        {HEADER_newest_day, header->newest_day},
    };
    for (int i = 0; i < 8; i++)
        field[counts[i].field] = (struct span){number[i], write_whole(number[i], counts[i].number)};
    int count = 0;
    pieces[count++] = (struct span){head, write_array_head(head, HEADER_COUNT)};
    pack_sum(&score, &header->score);
    for (int i = 0; i < HEADER_COUNT; i++) {
        if (i == HEADER_score && journey->day.number >= 0) {
            pieces[count++] = score.pieces[0];
            pieces[count++] = score.pieces[1];
        } else {
            pieces[count++] = field[i];
        }
    }
    begin_key(&key, 'h', journey);
    return stored(journey, &key, joined(pieces, count));
}

enum verdict store_journey(struct journey *journey) {
    for (int i = 0; i < journey->changes; i++)
        if (!store_touch(journey, &journey->changed[i]->after))
            return FAILED;
    for (int i = 0; i < journey->people; i++)
        if (!store_person(journey, &journey->person[i]))
            return FAILED;
    if (journey->day.number >= 0 && account_id(&journey->account).size) {
        if (!store_day(journey))
            return FAILED;
        journey->header.newest_day = journey->day.number;
    }
    return store_header(journey) ? TAKEN : FAILED;
}

void drop_journey(struct journey *journey) {
    Py_CLEAR(journey->packed);
    Py_CLEAR(journey->day.packed);
    for (int i = 0; i < journey->touches; i++)
        Py_CLEAR(journey->touch[i].packed);
    for (int i = 0; i < journey->people; i++)
        Py_CLEAR(journey->person[i].packed);
}
