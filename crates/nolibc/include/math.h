#pragma once

#define HUGE_VAL __builtin_huge_val()
#define HUGE_VALF __builtin_huge_valf()
#define HUGE_VALL __builtin_huge_vall()
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#define M_E 2.7182818284590452354
#define M_LOG2E 1.4426950408889634074
#define M_LOG10E 0.43429448190325182765
#define M_LN2 0.69314718055994530942
#define M_LN10 2.30258509299404568402
#define M_PI 3.14159265358979323846
#define M_PI_2 1.57079632679489661923
#define M_PI_4 0.78539816339744830962
#define M_1_PI 0.31830988618379067154
#define M_2_PI 0.63661977236758134308
#define M_2_SQRTPI 1.12837916709551257390
#define M_SQRT2 1.41421356237309504880
#define M_SQRT1_2 0.70710678118654752440
#define FP_NAN 0
#define FP_INFINITE 1
#define FP_ZERO 2
#define FP_SUBNORMAL 3
#define FP_NORMAL 4
#define FP_ILOGB0 (-2147483647 - 1)
#define FP_ILOGBNAN (-2147483647 - 1)
#define MATH_ERRNO 1
#define MATH_ERREXCEPT 2
#define math_errhandling 0

#define fpclassify(x) __builtin_fpclassify(FP_NAN, FP_INFINITE, FP_NORMAL, FP_SUBNORMAL, FP_ZERO, x)
#define isfinite(x) __builtin_isfinite(x)
#define isinf(x) __builtin_isinf_sign(x)
#define isnan(x) __builtin_isnan(x)
#define isnormal(x) __builtin_isnormal(x)
#define signbit(x) __builtin_signbit(x)
#define isgreater(x, y) __builtin_isgreater(x, y)
#define isgreaterequal(x, y) __builtin_isgreaterequal(x, y)
#define isless(x, y) __builtin_isless(x, y)
#define islessequal(x, y) __builtin_islessequal(x, y)
#define islessgreater(x, y) __builtin_islessgreater(x, y)
#define isunordered(x, y) __builtin_isunordered(x, y)

typedef double double_t;
typedef float float_t;

/* Each function for double, float and long double; nolibc has those for long double not. */
#define _SOLO5_1(name) \
    double name(double); \
    float name##f(float); \
    long double name##l(long double);
#define _SOLO5_2(name) \
    double name(double, double); \
    float name##f(float, float); \
    long double name##l(long double, long double);
_SOLO5_1(acos)
_SOLO5_1(acosh)
_SOLO5_1(asin)
_SOLO5_1(asinh)
_SOLO5_1(atan)
_SOLO5_1(atanh)
_SOLO5_1(cbrt)
_SOLO5_1(ceil)
_SOLO5_1(cos)
_SOLO5_1(cosh)
_SOLO5_1(erf)
_SOLO5_1(erfc)
_SOLO5_1(exp)
_SOLO5_1(exp10)
_SOLO5_1(exp2)
_SOLO5_1(expm1)
_SOLO5_1(fabs)
_SOLO5_1(floor)
_SOLO5_1(lgamma)
_SOLO5_1(log)
_SOLO5_1(log10)
_SOLO5_1(log1p)
_SOLO5_1(log2)
_SOLO5_1(logb)
_SOLO5_1(nearbyint)
_SOLO5_1(rint)
_SOLO5_1(round)
_SOLO5_1(roundeven)
_SOLO5_1(sin)
_SOLO5_1(sinh)
_SOLO5_1(sqrt)
_SOLO5_1(tan)
_SOLO5_1(tanh)
_SOLO5_1(tgamma)
_SOLO5_1(trunc)
_SOLO5_2(atan2)
_SOLO5_2(copysign)
_SOLO5_2(fdim)
_SOLO5_2(fmax)
_SOLO5_2(fmin)
_SOLO5_2(fmod)
_SOLO5_2(hypot)
_SOLO5_2(nextafter)
_SOLO5_2(pow)
_SOLO5_2(remainder)
#undef _SOLO5_1
#undef _SOLO5_2

double fma(double, double, double);
float fmaf(float, float, float);
double frexp(double, int *);
float frexpf(float, int *);
long double frexpl(long double, int *);
double ldexp(double, int);
float ldexpf(float, int);
long double ldexpl(long double, int);
double modf(double, double *);
float modff(float, float *);
long double modfl(long double, long double *);
double scalbn(double, int);
float scalbnf(float, int);
long double scalbnl(long double, int);
double remquo(double, double, int *);
double lgamma_r(double, int *);
float lgammaf_r(float, int *);
void sincos(double, double *, double *);
void sincosf(float, float *, float *);
int ilogb(double);
int ilogbf(float);
long lrint(double);
long lrintf(float);
long long llrint(double);
long long llrintf(float);
long lround(double);
long lroundf(float);
long long llround(double);
long long llroundf(float);
double nan(const char *);
