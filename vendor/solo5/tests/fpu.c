/*
 * fpu.c: floating point and vectors. Compiled with SSE; the AVX case runs
 * where CPUID and XCR0 say that it may.
 */
#include "guest.h"

static volatile float a[4] = { 1.5f, 2.5f, 3.5f, 4.5f };
static volatile double b = 2.0;

static bool avx_enabled(void)
{
    uint32_t eax = 1, ebx, ecx = 0, edx, xcr0;

    __asm__ volatile ("cpuid"
            : "+a" (eax), "=b" (ebx), "+c" (ecx), "=d" (edx));
    if (!(ecx & 1u << 27) || !(ecx & 1u << 28))
        return false;
    __asm__ volatile ("xgetbv" : "=a" (xcr0), "=d" (edx) : "c" (0));
    return (xcr0 & 6) == 6;
}

static __attribute__((target("avx"), noinline)) double avx_sum(void)
{
    typedef double vector __attribute__((vector_size(32)));
    vector v = { 1, 2, 3, 4 };

    v *= b;
    return v[0] + v[1] + v[2] + v[3];
}

int solo5_app_main(const struct solo5_start_info *info)
{
    float sum = 0;

    (void)info;
    for (int i = 0; i < 4; i++)
        sum += a[i] * (float)b;
    CHECK(sum == 24.0f);
    CHECK((double)sum / b == 12.0);
    if (avx_enabled()) {
        CHECK(avx_sum() == 20.0);
        say("AVX\n");
    }
    SUCCESS();
}
