
/*
 * Catches a vote whose work grows with the square of the members: outputs that
 * differ in their last bytes only, compared for each pair.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "learn/clipper_combine.h"


#define MEMBERS  CLIPPER_POLICY_MEMBERS


static size_t  compared;


/* instead of the library's: counts the bytes that may be read */

int
memcmp(const void *one, const void *two, size_t n)
{
    const unsigned char  *a = one, *b = two;

    compared += n;

    for ( /* void */ ; n; n--, a++, b++) {
        if (*a != *b) {
            return *a - *b;
        }
    }

    return 0;
}


/* bytes compared and nanoseconds for one vote of members with these outputs */

static size_t
vote(size_t len, ngx_uint_t kinds, double *ns)
{
    char                      *text;
    ngx_uint_t                 i;
    struct timespec            begun, ended;
    clipper_loss_t             loss = { CLIPPER_LOSS_ZERO_ONE, 0, 1 };
    clipper_combine_member_t   members[MEMBERS];
    clipper_combine_result_t   result;

    memset(members, 0, sizeof(members));

    for (i = 0; i < MEMBERS; i++) {
        text = malloc(len + 1);
        memset(text, 'x', len);
        text[0] = '"';
        snprintf(text + len - 4, 5, "%03u\"", (unsigned) (i % kinds));

        members[i].answered = 1;
        members[i].weight = 1;
        clipper_value_init(&members[i].value, (u_char *) text, len);
    }

    compared = 0;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    assert_int_equal(clipper_combine(CLIPPER_POLICY_VOTE, &loss, members,
                                     MEMBERS, NULL, &result), NGX_OK);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    *ns = (ended.tv_sec - begun.tv_sec) * 1e9 + ended.tv_nsec - begun.tv_nsec;

    assert_int_equal(__builtin_popcountll(result.group), MEMBERS / kinds);

    for (i = 0; i < MEMBERS; i++) {
        free(members[i].value.text.data);
    }

    return compared;
}


static void
test_vote_is_linear(void **state)
{
    size_t      bytes;
    double      ns;
    ngx_uint_t  kinds;

    const size_t  len = 100000;

    for (kinds = 1; kinds <= MEMBERS; kinds *= 2) {
        bytes = vote(len, kinds, &ns);
        printf("    %u kinds: %.2f times the outputs, %.1f ms\n",
               (unsigned) kinds, (double) bytes / (len * MEMBERS), ns / 1e6);
        assert_true(bytes <= 3 * len * MEMBERS);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_vote_is_linear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
