/* Reading JSON where it lies. Every step is within the bytes it was given, whatever they
   are; nothing recurses. */

#include "hookloom.h"

#include <string.h>

static const hl_bytes NONE = {0};

static hl_bytes rest_of(hl_bytes text, size_t from) {
    return (hl_bytes){text.at + from, text.length - from};
}

static hl_bytes skip_space(hl_bytes text) {
    size_t i = 0;
    while (i < text.length && strchr(" \t\r\n", text.at[i]) && text.at[i]) i++;
    return text.at ? rest_of(text, i) : text;
}

/* The length of the string that begins here, both quotes included; 0: none ends. */
static size_t string_length(hl_bytes text) {
    for (size_t i = 1; i < text.length; i++) {
        if (text.at[i] == '\\') i++;
        else if (text.at[i] == '"') return i + 1;
    }
    return 0;
}

/* The length of the value that begins here; 0: none does, or it does not end. */
static size_t value_length(hl_bytes text) {
    size_t depth = 0, i = 0;
    while (i < text.length) {
        char c = text.at[i];
        if (c == '"') {
            size_t length = string_length(rest_of(text, i));
            if (length == 0) return 0;
            i += length;
        } else if (c == '{' || c == '[') {
            depth++;
            i++;
        } else if (c == '}' || c == ']') {
            if (depth == 0) return i;
            depth--;
            i++;
        } else if (depth == 0 && (c == ',' || c == ':' || strchr(" \t\r\n", c))) {
            return i;
        } else {
            i++;
            continue; /* a number or a word, which ends where something else begins */
        }
        if (depth == 0) return i;
    }
    return depth == 0 ? i : 0;
}

/* Takes the value that begins here off the text. */
static bool take(hl_bytes *text, hl_bytes *value) {
    *text = skip_space(*text);
    size_t length = value_length(*text);
    if (length == 0) return false;
    *value = (hl_bytes){text->at, length};
    *text = skip_space(rest_of(*text, length));
    return true;
}

static bool take_mark(hl_bytes *text, char mark) {
    if (text->length == 0 || text->at[0] != mark) return false;
    *text = rest_of(*text, 1);
    return true;
}

bool hl_json_member(hl_bytes *rest, hl_bytes *name, hl_bytes *value) {
    *rest = skip_space(*rest);
    return (take_mark(rest, '{') || take_mark(rest, ',')) && take(rest, name) && take_mark(rest, ':') &&
           take(rest, value);
}

hl_bytes hl_json_get(hl_bytes object, const char *key) {
    hl_bytes name, value;
    while (hl_json_member(&object, &name, &value))
        if (hl_equal(hl_json_text(name), key)) return value;
    return NONE;
}

bool hl_json_object(hl_bytes value) {
    hl_bytes rest = skip_space(value), name, member;
    if (!take_mark(&rest, '{')) return false;
    rest = skip_space(rest);
    if (rest.length == 0 || rest.at[0] != '}') {
        do {
            if (!take(&rest, &name) || name.at[0] != '"' || !take_mark(&rest, ':') || !take(&rest, &member))
                return false;
        } while (take_mark(&rest, ','));
    }
    return take_mark(&rest, '}') && skip_space(rest).length == 0;
}

bool hl_json_next(hl_bytes *rest, hl_bytes *item) {
    *rest = skip_space(*rest);
    return (take_mark(rest, '[') || take_mark(rest, ',')) && take(rest, item);
}

bool hl_json_integer(hl_bytes value, int64_t *number) {
    size_t i = value.length > 0 && value.at[0] == '-';
    if (i == value.length) return false;
    int64_t read = 0;
    for (; i < value.length; i++) {
        int digit = value.at[i] - '0';
        if (digit < 0 || digit > 9 || read < (INT64_MIN + digit) / 10) return false;
        read = read * 10 - digit; /* downwards, because there is one more below zero */
    }
    if (value.at[0] != '-' && read == INT64_MIN) return false;
    *number = value.at[0] == '-' ? read : -read;
    return true;
}

/* The code unit of four hex digits; -1: they are none. */
static int32_t hex_unit(hl_bytes text) {
    int32_t unit = 0;
    if (text.length < 4) return -1;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef", c = text.at[i];
        const char *digit = c ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c) : NULL;
        if (!digit) return -1;
        unit = unit * 16 + (int32_t)(digit - digits);
    }
    return unit;
}

static char *put_utf8(char *end, int32_t point) {
    if (point < 0x80) {
        *end++ = (char)point;
        return end;
    }
    if (point < 0x800) {
        *end++ = (char)(0xc0 | point >> 6);
    } else {
        if (point < 0x10000) {
            *end++ = (char)(0xe0 | point >> 12);
        } else {
            *end++ = (char)(0xf0 | point >> 18);
            *end++ = (char)(0x80 | (point >> 12 & 0x3f));
        }
        *end++ = (char)(0x80 | (point >> 6 & 0x3f));
    }
    *end++ = (char)(0x80 | (point & 0x3f));
    return end;
}

/* Reads what is behind `\u`, its other half if it is one of a pair, and returns how much
   that was. Half of a pair alone is U+FFFD. */
static size_t take_escape(hl_bytes text, int32_t *point) {
    int32_t unit = hex_unit(text);
    *point = unit < 0 || (unit >= 0xd800 && unit <= 0xdfff) ? 0xfffd : unit;
    if (unit < 0) return 0;
    bool high = unit >= 0xd800 && unit <= 0xdbff;
    if (high && text.length >= 10 && text.at[4] == '\\' && text.at[5] == 'u') {
        int32_t low = hex_unit(rest_of(text, 6));
        if (low >= 0xdc00 && low <= 0xdfff) {
            *point = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            return 10;
        }
    }
    return 4;
}

hl_bytes hl_json_text(hl_bytes value) {
    if (value.length < 2 || value.at[0] != '"') return NONE;
    hl_bytes inner = {value.at + 1, value.length - 2};
    if (!memchr(inner.at, '\\', inner.length)) return inner;
    /* An escape is as long as what it stands for, but `\u` without digits, two bytes that
       are read as the three of U+FFFD. */
    char *text = hl_allocate(inner.length + inner.length / 2 + 1), *end = text;
    for (size_t i = 0; i < inner.length; i++) {
        if (inner.at[i] != '\\' || i + 1 == inner.length) {
            *end++ = inner.at[i];
            continue;
        }
        char escape = inner.at[++i];
        if (escape == 'u') {
            int32_t point;
            i += take_escape(rest_of(inner, i + 1), &point);
            end = put_utf8(end, point);
        } else {
            const char *names = "bfnrt", *name = escape ? strchr(names, escape) : NULL;
            *end++ = name ? "\b\f\n\r\t"[name - names] : escape;
        }
    }
    return (hl_bytes){text, (size_t)(end - text)};
}
