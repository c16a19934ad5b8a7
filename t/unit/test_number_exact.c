/*
 * Catches: a number beside the middle of two others that is not the nearest
 * double or float, one that goes to the C library, whose time has no bound, and
 * one that takes more multiplications than its digits and its power explain.
 */

#include "number_fixture.h"
#include "splitmix.h"


/*
 * Multiplications of 64 bits: of up to 40 digits with a small exponent, of up
 * to 40 digits with any, and of any number.
 */

#define WORK_COMMON  16
#define WORK_SHORT   120
#define WORK         1800

#define TEXT         7000


uint64_t  clipper_number_exact_work;

static size_t    libc_calls;
static uint64_t  most[3];
static uint64_t  seed;


double __real_strtod(const char *text, char **end);
float __real_strtof(const char *text, char **end);
double __wrap_strtod(const char *text, char **end);
float __wrap_strtof(const char *text, char **end);


double
__wrap_strtod(const char *text, char **end)
{
    libc_calls++;

    return __real_strtod(text, end);
}


float
__wrap_strtof(const char *text, char **end)
{
    libc_calls++;

    return __real_strtof(text, end);
}


static uint64_t
rnd(void)
{
    seed += SPLITMIX_STEP;

    return splitmix(seed);
}


/* the bound of a text, and what was counted since the last call */

static void
check_work(const char *text, size_t n)
{
    int             power;
    size_t          kind, digits;
    const char     *p, *e;
    const uint64_t  bounds[] = { WORK_COMMON, WORK_SHORT, WORK };

    e = memchr(text, 'e', n);
    power = e ? atoi(e + 1) : 0;
    digits = 0;

    for (p = text; p < (e ? e : text + n); p++) {
        digits += *p >= '0' && *p <= '9';
    }

    kind = digits > 40 ? 2 : abs(power) > 40;

    if (clipper_number_exact_work > bounds[kind]) {
        fail_msg("%.100s: %llu multiplications", text,
                 (unsigned long long) clipper_number_exact_work);
    }

    if (clipper_number_exact_work > most[kind]) {
        most[kind] = clipper_number_exact_work;
    }

    clipper_number_exact_work = 0;
}


static void
check_double(const char *text, uint64_t want)
{
    double            d;
    u_char           *copy;
    size_t            error;
    uint64_t          bits;
    clipper_number_t  number;

    assert_non_null(number_scan(text, &number, &copy, &error));

    clipper_number_exact_work = 0;
    d = clipper_number_double(&number);
    check_work(text, strlen(text));

    memcpy(&bits, &d, sizeof(double));

    if (bits != want) {
        fail_msg("%.800s: got %a", text, d);
    }

    assert_int_equal(clipper_number_overflows(&number),
                     want == 0x7ff0000000000000);
    assert_int_equal(libc_calls, 0);

    d = __real_strtod(text, NULL);
    assert_memory_equal(&d, &want, sizeof(double));

    free(copy);
}


static void
check_float(const char *text, uint32_t want)
{
    float             f;
    u_char           *copy;
    size_t            error;
    clipper_number_t  number;

    assert_non_null(number_scan(text, &number, &copy, &error));

    clipper_number_exact_work = 0;
    assert_int_equal(clipper_number_float(&number, &f), NGX_OK);
    check_work(text, strlen(text));

    if (memcmp(&f, &want, sizeof(float)) != 0) {
        fail_msg("%.800s: got %a", text, f);
    }

    assert_int_equal(libc_calls, 0);

    f = __real_strtof(text, NULL);
    assert_memory_equal(&f, &want, sizeof(float));

    free(copy);
}


static void
check(const char *text, uint64_t want, int is_float)
{
    if (is_float) {
        check_float(text, (uint32_t) want);

    } else {
        check_double(text, want);
    }
}


/* "1.25e3" as digits alone, and the exponent of the first one */

static int
split(const char *middle, char *digits)
{
    char        *p;
    const char  *e;

    e = strchr(middle, 'e');
    p = digits;

    *p++ = *middle;
    memcpy(p, middle + 2, e - middle - 2);
    p += e - middle - 2;

    while (p[-1] == '0' && p - digits > 1) {
        p--;
    }

    *p = '\0';

    return atoi(e + 1);
}


/*
 * The digits in three forms: d.ddd, all before the point, and all behind it
 * after zeros.
 */

static void
check_forms(const char *digits, int power, uint64_t want, int is_float)
{
    int          n;
    static char  text[TEXT];

    n = (int) strlen(digits);

    sprintf(text, "%c.%s0e%d", digits[0], digits + 1, power);
    check(text, want, is_float);

    sprintf(text, "%se%d", digits, power - n + 1);
    check(text, want, is_float);

    sprintf(text, "0.0000000%se%d", digits, power + 8);
    check(text, want, is_float);
}


/* the middle, and both sides of it as close as that many digits allow */

static void
check_middle(const char *middle, uint64_t low, int is_float)
{
    int           power;
    char          digits[TEXT];
    size_t        i, n, end;
    const size_t  cuts[] = { 20, 21, 38, 39, 57, 200 };
    const size_t  ends[] = { 1, 2, 19, 760, 767, 768, 769, 770, 800, 801,
                             5000 };

    power = split(middle, digits);
    n = strlen(digits);

    check_forms(digits, power, low + (low & 1), is_float);

    for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]) && cuts[i] < n; i++) {
        char  c = digits[cuts[i]];

        digits[cuts[i]] = '\0';
        check_forms(digits, power, low, is_float);

        if (digits[cuts[i] - 1] < '9') {
            digits[cuts[i] - 1]++;
            check_forms(digits, power, low + 1, is_float);
            digits[cuts[i] - 1]--;
        }

        digits[cuts[i]] = c;
    }

    /* the 1 that decides, or the 9 before, is the digit of that number */

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        end = ends[i] <= 19 ? n + ends[i] : ends[i];

        if (end <= n || n < 20) {
            continue;
        }

        memset(digits + n, '0', end - n);
        digits[end - 1] = '1';
        digits[end] = '\0';
        check_forms(digits, power, low + 1, is_float);

        digits[n - 1]--;
        memset(digits + n, '9', end - n);
        check_forms(digits, power, low, is_float);
        digits[n - 1]++;
    }

    digits[n] = '\0';
}


static void
check_middle_double(uint64_t low)
{
    char         text[1300];
    double       a, b;
    uint64_t     high;
    long double  middle;

    high = low + 1;
    memcpy(&a, &low, sizeof(double));
    memcpy(&b, &high, sizeof(double));

    /* the largest is as far from "infinity" as from the one before */

    middle = isinf(b) ? (long double) a + 0x1p970L
                      : ((long double) a + (long double) b) / 2;

    sprintf(text, "%.1100Le", middle);
    check_middle(text, low, 0);
}


static void
check_middle_float(uint32_t low)
{
    char      text[400];
    float     a, b;
    uint32_t  high;

    high = low + 1;
    memcpy(&a, &low, sizeof(float));
    memcpy(&b, &high, sizeof(float));

    sprintf(text, "%.200e", ((double) a + (double) b) / 2);
    check_middle(text, low, 1);
}


static void
test_doubles(void **state)
{
    size_t          i;
    uint64_t        low;
    const uint64_t  ends[] = {
        0, 1, 2, 0x000ffffffffffffe, 0x000fffffffffffff, 0x0010000000000000,
        0x0010000000000001, 0x001ffffffffffffe, 0x001fffffffffffff,
        0x0020000000000000, 0x3fefffffffffffff, 0x3ff0000000000000,
        0x3ff0000000000001, 0x434fffffffffffff, 0x4350000000000000,
        0x7fdfffffffffffff, 0x7feffffffffffffe, 0x7fefffffffffffff
    };

    /* long double holds the middle of two doubles exactly */

    assert_true(LDBL_MANT_DIG >= 54);

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        check_middle_double(ends[i]);
    }

    for (i = 0; i < 600; i++) {
        low = rnd() % 0x7ff0000000000000;

        switch (i % 4) {
        case 0:
            low &= 0x001fffffffffffff;          /* the most digits */
            break;
        case 1:
            low = 0x3f00000000000000 + low % 0x0200000000000000;
            break;
        case 2:
            low |= 0x7f00000000000000;
            low -= (low >= 0x7ff0000000000000) * 0x0010000000000000;
            break;
        }

        check_middle_double(low);
    }
}


static void
test_floats(void **state)
{
    size_t          i;
    const uint32_t  ends[] = {
        0, 1, 2, 0x007ffffe, 0x007fffff, 0x00800000, 0x00ffffff, 0x3f7fffff,
        0x3f800000, 0x4bffffff, 0x7f7ffffd
    };

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        check_middle_float(ends[i]);
    }

    for (i = 0; i < 600; i++) {
        check_middle_float(rnd() % (i % 2 ? 0x7f7ffffe : 0x01000000));
    }
}


/* two thirds of each bound are needed */

static void
test_work(void **state)
{
    print_message("most: %llu, %llu, %llu\n", (unsigned long long) most[0],
                  (unsigned long long) most[1], (unsigned long long) most[2]);

    assert_true(most[0] * 3 > WORK_COMMON * 2);
    assert_true(most[1] * 3 > WORK_SHORT * 2);
    assert_true(most[2] * 3 > WORK * 2);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_work)
    };

    return cmocka_run_group_tests_name("number_exact", tests, NULL, NULL);
}
