#pragma once

#define AT_PAGESZ 6
#define AT_HWCAP 16
#define AT_SECURE 23
#define AT_RANDOM 25
#define AT_HWCAP2 26
#define AT_SYSINFO_EHDR 33

unsigned long getauxval(unsigned long type);
