/*
 * processor.c: descriptor tables.
 *
 * The tender's GDT lies in memory that is not mapped, and there is no IDT. Our
 * own send every trap to a stack of its own, which is why applications may use
 * a red zone, and why an overflowing stack can still be reported.
 *
 * The vector registers stay as the tender leaves them: SSE on, AVX off. Turning
 * AVX on would take XSETBV, which some nested and emulated hypervisors forget
 * at the next exit.
 */
enum {
    SELECTOR_CODE = 0x08,
    SELECTOR_DATA = 0x10,
    SELECTOR_TSS = 0x18, /* two entries */
};

#define GDT_CODE        0x00af99000000ffffull
#define GDT_DATA        0x00cf93000000ffffull
#define GDT_TSS_PRESENT 0x0000890000000000ull
#define IDT_PRESENT     0x8e00u /* interrupt gate, DPL 0 */

#define TRAP_STACK_SIZE 4096
enum trap_stack { STACK_TRAP, STACK_NMI, STACK_DOUBLE_FAULT, STACK_COUNT };

/* Vectors below 32 are the processor's; the rest would be a PIC's. */
#define VECTOR_COUNT 48

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map_base;
} __attribute__((packed));

struct idt_gate {
    uint16_t offset_low;
    uint16_t selector;
    uint16_t ist_and_type; /* the IST entry, counted from 1, in the low bits */
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};

struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

_Static_assert(sizeof (struct tss) == 104, "struct tss");
_Static_assert(sizeof (struct idt_gate) == 16, "struct idt_gate");
_Static_assert(sizeof (struct table_register) == 10, "struct table_register");

static uint8_t trap_stacks[STACK_COUNT][TRAP_STACK_SIZE]
        __attribute__((aligned(16)));
static struct tss tss;
static struct idt_gate idt[VECTOR_COUNT];
static uint64_t gdt[5] = { 0, GDT_CODE, GDT_DATA, 0, 0 };

/* Where each vector's code is, 0 for none: in trap.c's assembly. */
extern const uint64_t trap_entries[VECTOR_COUNT];

static void gdt_init(void)
{
    uint64_t base = (uintptr_t)&tss;
    const struct table_register gdtr = { sizeof gdt - 1, (uintptr_t)gdt };

    for (unsigned i = 0; i < STACK_COUNT; i++)
        tss.ist[i] = (uintptr_t)trap_stacks[i] + TRAP_STACK_SIZE;
    tss.io_map_base = sizeof tss;
    gdt[SELECTOR_TSS / 8] = GDT_TSS_PRESENT | (sizeof tss - 1)
            | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
    gdt[SELECTOR_TSS / 8 + 1] = base >> 32;

    /* FS and GS keep theirs: loading them would change their bases. */
    __asm__ volatile (
        "lgdt %[gdtr]\n"
        "pushq %[code]\n"
        "leaq 1f(%%rip), %%rax\n"
        "pushq %%rax\n"
        "lretq\n"
        "1:\n"
        "movl %[data], %%ss\n"
        "movl %[data], %%ds\n"
        "movl %[data], %%es\n"
        "ltr %[tss]\n"
        : : [gdtr] "m" (gdtr), [code] "i" (SELECTOR_CODE),
            [data] "r" ((uint32_t)SELECTOR_DATA),
            [tss] "r" ((uint16_t)SELECTOR_TSS)
        : "rax", "memory");
}

static enum trap_stack stack_for(unsigned vector)
{
    switch (vector) {
    case 2:
        return STACK_NMI;
    case 8:
        return STACK_DOUBLE_FAULT;
    default:
        return STACK_TRAP;
    }
}

static void idt_init(void)
{
    const struct table_register idtr = { sizeof idt - 1, (uintptr_t)idt };

    for (unsigned i = 0; i < VECTOR_COUNT; i++) {
        uint64_t entry = trap_entries[i];

        if (entry == 0)
            continue;
        idt[i] = (struct idt_gate) {
            .offset_low = (uint16_t)entry,
            .selector = SELECTOR_CODE,
            .ist_and_type = (uint16_t)(IDT_PRESENT | (stack_for(i) + 1)),
            .offset_middle = (uint16_t)(entry >> 16),
            .offset_high = (uint32_t)(entry >> 32),
        };
    }
    __asm__ volatile ("lidt %0" : : "m" (idtr) : "memory");
}
