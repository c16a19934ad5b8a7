
/*
 * Catches: a number that is not the nearest double or float; the C library's
 * conversion is the judge, bit for bit.
 */

#include "number_fixture.h"
#include "splitmix.h"


#define RANDOM  1500000


static uint64_t  seed = 88172645463325252u;


static uint64_t
rnd(void)
{
    return splitmix(seed++);
}


static double
double_of(uint64_t bits)
{
    double  d;

    memcpy(&d, &bits, sizeof(double));

    return d;
}


static float
float_of(uint32_t bits)
{
    float  f;

    memcpy(&f, &bits, sizeof(float));

    return f;
}


static void
check(const char *text)
{
    float             f, want32;
    double            d, want64;
    u_char           *copy;
    size_t            error;
    ngx_int_t         rc;
    const u_char     *end;
    clipper_number_t  number;

    end = number_scan(text, &number, &copy, &error);

    if (end == NULL || end != copy + strlen(text)) {
        fail_msg("not taken whole: %s", text);
    }

    d = clipper_number_double(&number);
    want64 = strtod(text, NULL);

    if (memcmp(&d, &want64, sizeof(double)) != 0) {
        fail_msg("%s: got %a, want %a", text, d, want64);
    }

    if (clipper_number_overflows(&number) != (isinf(want64) != 0)) {
        fail_msg("%s: overflow or not?", text);
    }

    rc = clipper_number_float(&number, &f);
    want32 = strtof(text, NULL);

    if ((rc == NGX_OK) != (fabs(want64) <= FLT_MAX)) {
        fail_msg("%s: a float or not? %a", text, want64);
    }

    if (rc == NGX_OK && memcmp(&f, &want32, sizeof(float)) != 0) {
        fail_msg("%s: got float %a, want %a", text, f, want32);
    }

    free(copy);
}


/* the same without a judge */

static void
expect(const char *text, uint64_t want)
{
    double            d;
    u_char           *copy;
    size_t            error;
    uint64_t          bits;
    clipper_number_t  number;

    assert_non_null(number_scan(text, &number, &copy, &error));

    d = clipper_number_double(&number);
    memcpy(&bits, &d, sizeof(double));

    if (bits != want) {
        fail_msg("%.100s: got %a, want %a", text, d, double_of(want));
    }

    free(copy);
}


static void
test_hard_cases(void **state)
{
    size_t              i;
    static const char  *cases[] = {
        "0", "-0", "0.0", "-0.0", "0e5", "0e-400", "0.000e999999999999999999",
        "1", "-1", "10", "1e0", "1E+2", "1e-2", "123456789", "0.1", "0.3",

        /* around 2^53, 2^63, 2^64 */
        "9007199254740991", "9007199254740992", "9007199254740993",
        "9007199254740994", "9007199254740995", "9007199254740993.0",
        "9007199254740993.00000000000000000000000000000000000001",
        "9007199254740992.99999999999999999999999999999999999999",
        "9223372036854775807", "9223372036854775808", "-9223372036854775808",
        "18446744073709551615", "18446744073709551616",

        /* zeros and ends of the range */
        "1e-400", "-1e-400", "1e400", "-1e400", "1e309", "1e308",
        "1.7976931348623157e308", "1.7976931348623158e308",
        "1.7976931348623159e308", "1.797693134862315807e308",
        "1.797693134862315808e308", "179769313486231580793e289",
        "4.9406564584124654e-324", "2.4703282292062327e-324",
        "2.4703282292062328e-324", "2.470328229206232720e-324",
        "2.225073858507201136057409796709131975934819546351645648e-308",
        "2.2250738585072011e-308", "2.2250738585072012e-308",
        "2.2250738585072014e-308", "1e-323", "3e-324", "2e-324", "7e-324",

        /* known to have broken parsers */
        "6.7902653e-314", "8.5e-314", "7.1202363472230444e-307",
        "1.1150372599265311570767859136324180752990208e27",
        "0.500000000000000166533453693773481063544750213623046875",
        "3.518437208883201171875e13", "62.5364939768271845828",
        "8.10109172351e-10", "1.50000000000000011102230246251565",
        "104308485241983990666713401708072175773165034278682682111762043312934",
        "9355950181e-10", "1090544144181609348835077142190",
        "5708990770823839524233143877797980545530986496",
        "144115188075855877", "1448997445238699", "89255e-22",

        /* floats */
        "16777215", "16777216", "16777217", "16777218", "16777219",
        "3.4028234663852886e38", "3.4028235e38", "3.40282346638528860e38",
        "3.40282346638528859811704183484516925440e38", "3.4028236e38", "1e39",
        "3.4028235677973366e38", "3.4028235677973367e38",
        "1.401298464324817e-45", "7.006492321624085e-46",
        "7.0064923216240853546186479164495807e-46",
        "7.0064923216240854e-46", "1.1754943508222875e-38",
        "1.1754942807573643e-38", "1.00000005960464477539062500000000000000001",
        "1.000000059604644775390625", "1.000000178813934326171875"
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(cases[i]);
    }
}


/* any bits, printed with any number of digits */

static void
random_bits(char *text)
{
    double  d;

    do {
        d = double_of(rnd());
    } while (!isfinite(d));

    sprintf(text, "%.*e", (int) (rnd() % 20), d);
}


/* up to 20 digits and any exponent */

static void
random_digits(char *text)
{
    uint64_t  v;

    v = rnd() >> (rnd() % 64);

    sprintf(text, "%s%llue%d", rnd() % 2 ? "-" : "", (unsigned long long) v,
            (int) (rnd() % 700) - 350);
}


/* 19 digits and more: the digits cut off matter or not */

static void
random_long(char *text)
{
    size_t  n;

    n = sprintf(text, "%llu.", (unsigned long long) (rnd() >> (rnd() % 64)));
    n += sprintf(text + n, "%0*llu", (int) (rnd() % 25),
                 (unsigned long long) rnd());

    if (rnd() % 2) {
        sprintf(text + n, "e%d", (int) (rnd() % 660) - 340);
    }
}


/* numbers as programs print them */

static void
random_plain(char *text)
{
    double  u;

    u = (double) rnd() / 18446744073709551616.0;

    switch (rnd() % 4) {
    case 0:
        sprintf(text, "%.3f", u * 100 - 50);
        break;
    case 1:
        sprintf(text, "%.17g", u);
        break;
    case 2:
        sprintf(text, "%.9g", (u - 0.5) * 1e5);
        break;
    default:
        sprintf(text, "%.1f", u * 256);
    }
}


static void
test_random(void **state)
{
    char      text[128];
    size_t    i;

    for (i = 0; i < RANDOM / 4; i++) {
        random_bits(text);
        check(text);
        random_digits(text);
        check(text);
        random_long(text);
        check(text);
        random_plain(text);
        check(text);
    }
}


/*
 * The middle of two neighbours, exactly, one digit less, one digit more; low
 * has the bits of the lower double, for a middle of floats it is NULL.
 */

static void
check_middle(const char *digits, const uint64_t *low)
{
    char    text[1400];
    size_t  n;

    snprintf(text, sizeof(text), "%s", digits);
    n = strcspn(text, "e");

    check(text);

    if (low) {
        expect(text, *low + (*low & 1));
    }

    /* a little above: a distant digit 1 */

    snprintf(text, sizeof(text), "%.*s%030d1%s", (int) n, digits, 0,
             digits + n);
    check(text);

    if (low) {
        expect(text, *low + 1);
    }

    /* a little below: the last digit other than zero, minus one */

    snprintf(text, sizeof(text), "%s", digits);

    while (n && (text[n - 1] == '0' || text[n - 1] == '.')) {
        n--;
    }

    if (n && text[n - 1] >= '1' && text[n - 1] <= '9') {
        text[n - 1]--;
        memmove(text + n + 30, text + n, strlen(text + n) + 1);
        memset(text + n, '9', 30);
        check(text);

        /* before the point they would make it longer */

        if (low && memchr(text, '.', n)) {
            expect(text, *low);
        }
    }
}


static void
test_middles(void **state)
{
    char         text[1200];
    size_t       i;
    uint32_t     bits32;
    uint64_t     bits;
    long double  middle;

    /* long double holds the middle of two doubles exactly */

    assert_true(LDBL_MANT_DIG >= 54);

    for (i = 0; i < 4000; i++) {
        bits = rnd() & 0x7fffffffffffffff;

        if (i % 4 == 0) {
            bits &= 0x000fffffffffffff;             /* subnormals */

        } else if (i % 4 == 1) {
            bits = 0x3ff0000000000000 + (rnd() % 0x0600000000000000);
        }

        if (bits >= 0x7fe0000000000000) {
            continue;
        }

        middle = ((long double) double_of(bits)
                  + (long double) double_of(bits + 1)) / 2;

        snprintf(text, sizeof(text), "%.1100Le", middle);
        check_middle(text, &bits);

        if (i % 4 == 1) {
            snprintf(text, sizeof(text), "%.200Lf", middle);
            check_middle(text, &bits);
        }
    }

    for (i = 0; i < 4000; i++) {
        bits32 = (uint32_t) rnd() % 0x7f7fffff;

        middle = ((long double) float_of(bits32)
                  + (long double) float_of(bits32 + 1)) / 2;

        snprintf(text, sizeof(text), "%.200Le", middle);
        check_middle(text, NULL);
    }
}


/*
 * Ties with digits that fit a uint64_t, at every power of ten that has some: an
 * odd number with one bit more than the mantissa, multiplied and divided by
 * powers of five.
 */

static void
test_ties(void **state)
{
    int       power, bits;
    char      text[64];
    size_t    i;
    uint64_t  odd, five;

    for (bits = 25; bits <= 54; bits += 29) {

        for (power = 0, five = 1; power <= 27; power++, five *= 5) {

            for (i = 0; i < 200; i++) {
                odd = (rnd() >> (64 - bits)) | (uint64_t) 1 << (bits - 1) | 1;

                if (odd <= UINT64_MAX / five) {
                    sprintf(text, "%llue-%d", (unsigned long long) odd * five,
                            power);
                    check(text);
                }

                odd = (odd / five) | 1;

                if (odd * five >> (bits - 1) == 1) {
                    sprintf(text, "%llue%d", (unsigned long long) odd, power);
                    check(text);
                }
            }
        }
    }
}


/* thousands of digits before and after the point; zeros with an exponent */

static void
test_long(void **state)
{
    char    *text;
    size_t   i, k, n;

    text = malloc(70000);
    assert_non_null(text);

    for (i = 0; i < 400; i++) {
        n = 1 + rnd() % 3000;

        text[0] = (char) ('1' + rnd() % 9);
        text[1] = '.';

        for (k = 0; k < n; k++) {
            text[2 + k] = (char) ('0' + rnd() % 10);
        }

        sprintf(text + 2 + n, "e%d", (int) (rnd() % 660) - 335);
        check(text);
    }

    for (i = 0; i < 100; i++) {
        n = 1 + rnd() % 320;

        for (k = 0; k < n; k++) {
            text[k] = (char) ('0' + rnd() % 10);
        }

        text[0] = '7';
        sprintf(text + n, ".%llu", (unsigned long long) rnd());
        check(text);
    }

    memset(text, '0', 60000);
    text[1] = '.';
    sprintf(text + 60000, "123456789012345678901234567890e60000");
    check(text);

    memset(text, '0', 60000);
    text[0] = '1';
    sprintf(text + 60000, "e-59999");
    check(text);
    sprintf(text + 60000, ".5e-60010");
    check(text);

    free(text);
}


/* the middle of 1 and its neighbour, decided by a digit a megabyte later */

static void
test_megabytes(void **state)
{
    char         *text;
    size_t        i, n;
    static char   middle[] = "1.00000000000000011102230246251565404236316680908"
                             "203125";
    static char   under[] = "1.00000000000000011102230246251565404236316680908"
                            "203124";

    n = sizeof(middle) - 1;
    text = malloc(3000000);
    assert_non_null(text);

    for (i = 100; i < 2900000; i = i * 3 + 7) {
        memcpy(text, middle, n);
        memset(text + n, '0', i);
        text[n + i] = '\0';
        expect(text, 0x3ff0000000000000);

        text[n + i - 1] = '1';
        expect(text, 0x3ff0000000000001);

        memcpy(text, under, n);
        memset(text + n, '9', i);
        expect(text, 0x3ff0000000000000);
    }

    /* the same with all digits before the point */

    memmove(text + 1, middle + 2, n - 2);
    text[0] = '1';
    memset(text + n - 1, '0', 2000000);
    sprintf(text + n - 1 + 2000000, "e-%zu", 2000000 + n - 2);
    expect(text, 0x3ff0000000000000);

    text[n - 1 + 1999999] = '7';
    expect(text, 0x3ff0000000000001);

    free(text);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_hard_cases),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_middles),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_megabytes)
    };

    return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
